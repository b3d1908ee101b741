import type { FeedEvent } from '../src/api/wire.js';

let made = 0;

/** An event with the fields that a test sets. */
export function event(fields: Partial<FeedEvent> = {}): FeedEvent {
  made += 1;
  const at = fields.occurred_at ?? '2026-11-22T20:14:03Z';
  return {
    event_id: `event-${made}`,
    seq: made,
    type: 'email.opened',
    version: 1,
    category: 'email',
    summary: 'opened “Renewal terms”',
    summary_parts: [{ t: 'opened' }],
    occurred_at: at,
    recorded_at: at,
    actor: 'jo@acme.example',
    source: 'api',
    account_id: 'acme',
    contact_id: 'jo',
    record_type: 'thread',
    record_id: 'th_1',
    cause_id: null,
    payload: {},
    corrected: null,
    retracted: null,
    classified: null,
    erased: false,
    held_back: false,
    title: 'Email opened',
    icon: 'mail-open',
    tone: 'blue',
    foldable: true,
    by_contact: true,
    account_name: 'Acme',
    contact_name: undefined,
    ...fields,
  };
}
