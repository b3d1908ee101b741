import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, Client } from '../src/api/client.js';
import { readFilters } from '../src/api/filters.js';
import { FeedModel } from '../src/timeline/model.js';
import { MAX_LOADED } from '../src/timeline/order.js';
import type { EventPage, FeedEvent } from '../src/api/wire.js';
import { event } from './event.js';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 22, 20, minute)).toISOString();
const all = readFilters(new URLSearchParams('account=acme'));
const idle = { isReading: false, topEvent: undefined };

/** A server with these events, newest first, in pages of `size`. */
class Server {
  asked: object[] = [];
  fault: ApiError | undefined;
  constructor(
    public events: FeedEvent[],
    private readonly size = 50,
  ) {}
  async list(_: unknown, more: { cursor?: string; around?: string } = {}): Promise<EventPage> {
    this.asked.push(more);
    if (this.fault) throw this.fault;
    const around = this.events.findIndex((one) => one.event_id === more.around);
    const from = more.around ? Math.max(0, around - 5) : Number(more.cursor ?? 0);
    const to = from + this.size;
    const has_more = to < this.events.length;
    return {
      data: this.events.slice(from, to),
      has_more,
      next_cursor: has_more ? String(to) : null,
      looked_to: null,
      stream: { position: 'e-7' },
    };
  }
  async counts() {
    return { all: this.events.length, email: 1 };
  }
}

const past = (count: number) =>
  Array.from({ length: count }, (_, n) => event({ occurred_at: at(-n), foldable: false }));

describe('the model of a feed', () => {
  let server: Server;
  let model: FeedModel;
  const show = async (events: FeedEvent[], size?: number) => {
    server = new Server(events, size);
    model = new FeedModel(server as unknown as Client, () => undefined);
    await model.load(all);
  };
  beforeEach(() => show(past(120)));

  it('reads page by page to the end, each event once', async () => {
    while (model.hasMore) await model.more();
    expect(model.events).toEqual(server.events);
  });

  it('inserts a live event at once for a reader who is at the top', () => {
    const fresh = event({ occurred_at: at(1) });
    model.receive([fresh, fresh], idle);
    expect(model.events[0]).toBe(fresh);
    expect(model.events).toHaveLength(51);
    expect(model.fresh).toEqual(new Set([fresh.event_id]));
  });

  it('keeps what lands above a reader behind the pill until it is asked for', async () => {
    const fresh = event({ occurred_at: at(1) });
    model.receive([fresh], { isReading: true, topEvent: model.events[10] });
    expect(model.pending).toEqual([fresh]);
    expect(model.events).toHaveLength(50);
    await model.showPending();
    expect([model.events[0], model.pending]).toEqual([fresh, []]);
  });

  it('inserts what lands below where a reader is', () => {
    model.receive([event({ occurred_at: at(-20.5) })], { isReading: true, topEvent: model.events[10] });
    expect(model.pending).toEqual([]);
    expect(model.events).toHaveLength(51);
  });

  it('leaves what belongs to a page that is not read yet to that page', () => {
    model.receive([event({ occurred_at: at(-90.5) })], idle);
    expect(model.events).toHaveLength(50);
  });

  it('opens around an event that is not on the newest page, and waits for the jump back', async () => {
    const wanted = server.events[100]!;
    await model.load(all, wanted.event_id);
    expect(model.events).toContain(wanted);
    expect(model.isDetached).toBe(true);
    model.receive([event({ occurred_at: at(1) })], idle);
    expect(model.pending).toHaveLength(1);
    await model.showPending();
    expect(model.isDetached).toBe(false);
    expect(model.events[0]).toBe(server.events[0]);
  });

  it('leaves the events shown when a reload fails, with the error', async () => {
    server.fault = new ApiError(503, 'away', 'urn:uuid:1');
    await model.load(all);
    expect([model.phase, model.events.length, model.error?.request]).toEqual(['failed', 50, 'urn:uuid:1']);
  });

  it.each([
    [401, 'signed-out'],
    [403, 'forbidden'],
    [500, 'failed'],
    [0, 'failed'],
  ])('shows an answer with %d as %s', async (status, phase) => {
    server.fault = new ApiError(status, 'no');
    await model.load(all);
    expect(model.phase).toBe(phase);
  });

  it('reads anew after a gap that a page cannot bridge, and merges one that it can', async () => {
    server.events = [event({ occurred_at: at(1) }), ...server.events];
    await model.catchUp(() => idle);
    expect(model.events).toHaveLength(51);
    server.events = [
      ...Array.from({ length: 70 }, (_, n) => event({ occurred_at: at(100 - n) })),
      ...server.events,
    ];
    await model.catchUp(() => idle);
    expect(model.events).toEqual(server.events.slice(0, 50));
  });

  it('drops the near end beyond what a page can hold, and the far end when live events push', async () => {
    await show(past(MAX_LOADED + 200), 100);
    while (model.hasMore) await model.more();
    expect(model.events).toHaveLength(MAX_LOADED);
    expect(model.isDetached).toBe(true);
    await show(past(MAX_LOADED), 100);
    while (model.hasMore) await model.more();
    model.receive([event({ occurred_at: at(1) })], idle);
    expect(model.events).toHaveLength(MAX_LOADED);
    const last = model.events.at(-1)!.event_id;
    await model.more();
    expect(server.asked.at(-1)).toEqual({ around: last });
  });

  it.each([
    ['by their numbers', { seqs: '2-3,5' }, [1, 4]],
    ['by their contact, in an erasure that names no numbers', { events: 4 }, [5]],
  ])('lets go of what was erased, %s, shown or waiting or read later', async (_, payload, left) => {
    const said = (seq: number) =>
      event({
        seq,
        contact_id: seq === 5 ? 'other' : 'jo',
        occurred_at: at(-seq),
        payload: { text: 'private' },
      });
    const client = new Client('/v1');
    const asked = vi.spyOn(client, 'list').mockResolvedValue({
      ...{ data: [said(1), said(2), said(3)], has_more: false, next_cursor: null, looked_to: null },
      stream: { position: '' },
    });
    const page = new FeedModel(client, () => undefined);
    vi.spyOn(client, 'counts').mockResolvedValue({});
    await page.load(all);
    page.receive([said(4)], { isReading: true, topEvent: page.events[0] });
    const fields = { type: 'privacy.bodies_erased', contact_id: 'jo', payload };
    page.forget([event({ ...fields, seq: 9 })]);
    const late = client.decorate(said(5));
    const kept = [...page.events, ...page.pending, late].filter((one) => one.payload);
    expect(kept.map((one) => one.seq).sort()).toEqual(left);
    expect(client.decorate(said(12)).payload).toBeTruthy();
    expect([page.forgotten, asked.mock.calls.length]).toEqual([1, 1]);
  });

  it('shows an event as it reads now, where it is shown or waits', () => {
    const [shown] = model.events;
    const waits = event({ occurred_at: at(1) });
    model.receive([waits], { isReading: true, topEvent: model.events[10] });
    const retracted = { event_id: 'r', actor: 'ben@vendor.example', recorded_at: at(2), reason: null };
    model.replace([{ ...shown!, retracted }, { ...waits, retracted }, event({ retracted })]);
    expect([model.events[0]!.retracted, model.pending[0]!.retracted]).toEqual([retracted, retracted]);
    expect([model.events.length, model.pending.length]).toEqual([50, 1]);
  });

  it('counts what arrives', async () => {
    await model.count();
    model.receive([event({ occurred_at: at(1) })], idle);
    expect(model.counts).toEqual({ all: 121, email: 2 });
  });
});
