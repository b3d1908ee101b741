import { describe, expect, it } from 'vitest';
import { matches, readFilters, writeFilters } from '../src/api/filters.js';
import { fold } from '../src/timeline/fold.js';
import { actorName, actorLabel, recordUrl } from '../src/view/links.js';
import { isBehind, parsePosition } from '../src/stream/position.js';
import { merge, place } from '../src/timeline/order.js';
import { changes } from '../src/panel/tree.js';
import { event } from './event.js';

const at = (minute: number) => `2026-11-22T20:${String(minute).padStart(2, '0')}:00Z`;

describe('the order of the feed', () => {
  it('is by occurrence, then by number, and holds each event once', () => {
    const [early, late, tie] = [
      event({ occurred_at: at(1) }),
      event({ occurred_at: at(9) }),
      event({ occurred_at: at(9) }),
    ];
    expect(merge([late, early], [tie, late])).toEqual([tie, late, early]);
  });

  it('stays the very same list when nothing is new', () => {
    const list = [event()];
    expect(merge(list, [list[0]!])).toBe(list);
  });

  it('places an event above what is read, within it, or beyond what is loaded', () => {
    const [top, last] = [event({ occurred_at: at(9) }), event({ occurred_at: at(3) })];
    expect(place(event({ occurred_at: at(10) }), top, last, true)).toBe('above');
    expect(place(event({ occurred_at: at(5) }), top, last, true)).toBe('within');
    expect(place(event({ occurred_at: at(1) }), top, last, true)).toBe('unread');
    expect(place(event({ occurred_at: at(1) }), top, last, false)).toBe('within');
  });
});

describe('folding', () => {
  const opens = [9, 7, 5].map((minute) => event({ occurred_at: at(minute) }));

  it('makes one row of neighbouring repeats, and every event is still in it', () => {
    const [row, ...others] = fold(opens, 'UTC');
    expect(others).toEqual([]);
    expect([row!.event, ...row!.repeats]).toEqual(opens);
  });

  it('is off when it is turned off', () => expect(fold(opens, 'UTC', false)).toHaveLength(3));

  it.each([
    ['another actor', { actor: 'sam@acme.example' }],
    ['another thread', { record_id: 'th_2' }],
    ['another account', { account_id: 'globex' }],
    ['another sentence', { summary: 'opened “Renewal terms” (by a machine)' }],
    ['more than 30 minutes', { occurred_at: '2026-11-22T19:34:59Z' }],
  ])('stops at %s', (_, difference) => {
    expect(
      fold([opens[0]!, opens[1]!, opens[2]!, event({ occurred_at: at(4), ...difference })], 'UTC'),
    ).toHaveLength(2);
  });

  it('stops at midnight of the viewer', () => {
    const two = [
      event({ occurred_at: '2026-11-22T23:05:00Z' }),
      event({ occurred_at: '2026-11-22T22:55:00Z' }),
    ];
    expect(fold(two, 'UTC')).toHaveLength(1);
    expect(fold(two, 'Europe/Berlin')).toHaveLength(2);
  });

  it('never takes what the catalogue does not call foldable', () => {
    expect(
      fold(
        opens.map((one) => ({ ...one, type: 'note.added', foldable: false })),
        'UTC',
      ),
    ).toHaveLength(3);
  });
});

describe('positions', () => {
  it('are an epoch and a number', () => {
    expect(parsePosition('1f-0c-0000000000012345')).toEqual({ epoch: '1f-0c', seq: 12345 });
    expect(parsePosition('nonsense')).toBeUndefined();
  });

  it('lie behind a later number and behind every other epoch', () => {
    expect(isBehind('a-1', 'a-2')).toBe(true);
    expect(isBehind('a-2', 'a-2')).toBe(false);
    expect(isBehind('b-9', 'a-2')).toBe(true);
    expect(isBehind(undefined, 'a-2')).toBe(true);
    expect(isBehind('a-1', undefined)).toBe(false);
  });
});

describe('filters', () => {
  it('survive the way through an address', () => {
    const query =
      'account=acme&actor=ana%40vendor.example&since=2026-11-01T00%3A00%3A00.000Z' +
      '&type=email.*&type=note.added&tab=email';
    expect(String(writeFilters(readFilters(new URLSearchParams(query))))).toBe(query);
    expect(readFilters(new URLSearchParams('tab=nonsense')).tab).toBe('all');
  });

  it.each([
    ['account=acme', true],
    ['account=globex', false],
    ['type=email.*', true],
    ['type=note.*&type=email.opened', true],
    ['type=email.open', false],
    ['tab=email', true],
    ['tab=notes', false],
    ['account=acme&tab=hierarchy', false],
    ['since=2026-11-22T20:14:03Z', true],
    ['until=2026-11-22T20:14:03Z', false],
    ['source=import', false],
  ])('judge a live event as the server does: %s', (query, fits) => {
    expect(matches(event(), readFilters(new URLSearchParams(query)))).toBe(fits);
  });
});

describe('what is shown of an event', () => {
  it('names a user by the address, and leaves other actors as they are', () => {
    expect(['ana.ruiz@vendor.example', 'system', 'u_12', 'jo2@x.example'].map(actorName)).toEqual([
      'Ana Ruiz',
      'System',
      'u_12',
      'jo2@x.example',
    ]);
  });

  it('names the contact where the system recorded what they did', () => {
    const recorded = { actor: 'system', payload: { recipient: 'jo@acme.example' } };
    expect(actorLabel(event({ ...recorded, contact_name: 'Jo Park' }))).toBe('Jo Park');
    expect(actorLabel(event(recorded))).toBe('jo@acme.example');
    expect(actorLabel(event({ ...recorded, by_contact: false }))).toBe('System');
    expect(actorLabel(event({ actor: 'ana.ruiz@vendor.example' }))).toBe('Ana Ruiz');
  });

  it('links a record to web addresses alone', () => {
    globalThis.location = { href: 'https://page.example/' } as Location;
    expect(recordUrl('https://crm.example/{type}s/{id}', 'account', 'a/9')).toBe(
      'https://crm.example/accounts/a%2F9',
    );
    expect(recordUrl('/{type}/{id}', 'account', 'a9')).toBe('/account/a9');
    expect(recordUrl('javascript:alert(1)//{id}', 'account', 'a9')).toBeUndefined();
  });

  it('finds the changes of a payload', () => {
    expect(changes({ from_stage: 'Proposal', to_stage: 'Won', to_name: 'Jo' })).toEqual([
      { field: 'stage', from: 'Proposal', to: 'Won' },
    ]);
    expect(changes({ changes: [{ field: 'city', from: null, to: 'Ulm' }, 'nonsense'] })).toEqual([
      { field: 'city', from: null, to: 'Ulm' },
    ]);
    expect(changes(null)).toEqual([]);
  });
});
