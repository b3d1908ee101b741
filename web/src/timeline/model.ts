import { ApiError, type Client } from '../api/client.js';
import { matches, type Filters } from '../api/filters.js';
import { parsePosition } from '../stream/position.js';
import { MAX_LOADED, merge, place } from './order.js';
import type { EventPage, FeedEvent } from '../api/wire.js';

export type Phase = 'loading' | 'ready' | 'failed' | 'forbidden' | 'signed-out';

/** What the reader does when an event arrives. */
export interface Reader {
  isReading: boolean;
  topEvent: FeedEvent | undefined;
}

/** The loaded events and the pending ones: loading, paging, and receiving live events. */
export class FeedModel {
  phase: Phase = 'loading';
  error: ApiError | undefined;
  events: readonly FeedEvent[] = [];
  pending: readonly FeedEvent[] = [];
  counts: Record<string, string | number> | undefined;
  hasMore = false;
  isLoadingMore = false;
  moreFailed = false;
  /** Whether events newer than the first are not loaded: after a jump, or when the near end was dropped. */
  isDetached = false;
  lookedBackTo: string | undefined;
  position: string | undefined;
  fresh: ReadonlySet<string> = new Set();
  /** How often something was erased: what else shows events reads them again. */
  forgotten = 0;
  filters: Filters = { tab: 'all', type: [] };
  #cursor: string | undefined;
  #loading: AbortController | undefined;

  /** The number of the newest event that was read, 0 before the first. */
  get newestSeq(): number {
    const newest = this.events.slice(0, 50).map((event) => event.seq);
    return Math.max(0, parsePosition(this.position)?.seq ?? 0, ...newest);
  }

  constructor(
    private readonly client: Client,
    private readonly changed: () => void,
  ) {}

  /** Read the newest page, or the page around one event. Rows already shown stay when it fails. */
  async load(filters: Filters, around?: string): Promise<void> {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const isSame = JSON.stringify(filters) === JSON.stringify(this.filters);
    if (!isSame) Object.assign(this, { events: [], pending: [], hasMore: false, counts: undefined });
    this.filters = filters;
    this.phase = 'loading';
    this.changed();
    try {
      this.#show(await this.#read(filters, around, loading.signal));
    } catch (error) {
      if (loading.signal.aborted) return;
      this.failed(error);
    }
    this.changed();
    void this.count();
  }

  /** The newest page; where that lacks the event that is looked for, the page around it. */
  async #read(filters: Filters, around: string | undefined, signal: AbortSignal): Promise<EventPage> {
    const newest = await this.client.list(filters, {}, signal);
    this.isDetached = !!around && newest.has_more && newest.data.every((event) => event.event_id !== around);
    if (!around || !this.isDetached) return newest;
    // An event that is gone or unknown leaves the newest page: the panel explains it.
    return this.client.list(filters, { around }, signal).catch(() => ((this.isDetached = false), newest));
  }

  #show(page: EventPage): void {
    Object.assign(this, {
      events: merge([], page.data),
      pending: [],
      fresh: new Set(),
      error: undefined,
      phase: 'ready',
    });
    this.position = page.stream.position;
    this.#paged(page);
  }

  async more(): Promise<void> {
    if (!this.hasMore || this.isLoadingMore || this.phase !== 'ready') return;
    this.isLoadingMore = true;
    this.moreFailed = false;
    this.changed();
    const { filters } = this;
    try {
      // Where the far end was dropped no cursor is known: read around the last loaded event.
      const after = this.#cursor ? { cursor: this.#cursor } : { around: this.events.at(-1)!.event_id };
      const page = await this.client.list(filters, after);
      if (filters !== this.filters) return;
      this.events = merge(this.events, page.data);
      this.#paged(page);
      if (this.events.length > MAX_LOADED) {
        this.events = this.events.slice(-MAX_LOADED);
        this.isDetached = true;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.moreFailed = true;
    } finally {
      this.isLoadingMore = false;
      this.changed();
    }
  }

  /** Add events that pass the filters: to the list where that moves nothing being read, else to `pending`. */
  receive(arrived: readonly FeedEvent[], reader: Reader): void {
    const known = new Set([...this.events, ...this.pending].map((event) => event.event_id));
    const fresh = arrived.filter((event) => !known.has(event.event_id));
    if (!fresh.length) return;
    const at = (event: FeedEvent) => place(event, reader.topEvent, this.events.at(-1), this.hasMore);
    const waits = (event: FeedEvent) => this.isDetached || (reader.isReading && at(event) === 'above');
    this.pending = merge(this.pending, fresh.filter(waits));
    this.#insert(fresh.filter((event) => !waits(event) && at(event) !== 'unread'));
    for (const event of fresh) this.#countIn(event);
    this.changed();
  }

  /** Move the pending events into the list. A detached list is read anew instead. */
  async showPending(): Promise<void> {
    if (this.isDetached) return this.load(this.filters);
    this.#insert(this.pending);
    this.pending = [];
    this.changed();
  }

  /** Read what may have been missed. The caller preserves the reader's place. */
  async catchUp(reader: () => Reader): Promise<void> {
    try {
      const { filters } = this;
      const page = await this.client.list(filters);
      if (filters !== this.filters || this.phase !== 'ready') return;
      const known = new Set(this.events.map((event) => event.event_id));
      // With nothing in common there may be a hole between the page and the list.
      if (page.has_more && this.events.length && !page.data.some((event) => known.has(event.event_id)))
        return await this.load(filters);
      this.receive(page.data, reader());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the next heartbeat or reconnect comes here again
    }
  }

  /** Show events as they read now, where they are shown or wait. */
  replace(changed: readonly FeedEvent[]): void {
    const now = new Map(changed.map((event) => [event.event_id, event]));
    const renewed = (events: readonly FeedEvent[]) => events.map((event) => now.get(event.event_id) ?? event);
    const isShown = [...this.events, ...this.pending].some((event) => now.has(event.event_id));
    if (!isShown) return;
    Object.assign(this, { events: renewed(this.events), pending: renewed(this.pending) });
    this.changed();
  }

  /** Let go of what these events say was erased, wherever it is shown or waits. */
  forget(events: readonly FeedEvent[]): void {
    if (!this.client.forget(events)) return;
    this.forgotten += 1;
    this.refresh();
  }

  /** Draw the events again, with the names that became known. */
  refresh(): void {
    const again = (events: readonly FeedEvent[]) => events.map((event) => this.client.decorate(event));
    Object.assign(this, { events: again(this.events), pending: again(this.pending) });
    this.changed();
  }

  /** Show one's own event at once, wherever it belongs. */
  insertOwn(event: FeedEvent): void {
    if (this.phase === 'ready' && matches(event, this.filters) && !this.isDetached) this.#insert([event]);
    this.changed();
  }

  async count(): Promise<void> {
    try {
      this.counts = await this.client.counts(this.filters);
      this.changed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // tabs without counts are still tabs
    }
  }

  #countIn(event: FeedEvent): void {
    const counts = this.counts;
    for (const tab of counts ? ['all', event.category] : []) {
      if (typeof counts?.[tab] === 'number') this.counts = { ...this.counts, [tab]: counts[tab] + 1 };
    }
  }

  #insert(events: readonly FeedEvent[]): void {
    this.events = merge(this.events, events);
    this.fresh = new Set(events.map((event) => event.event_id));
    if (this.events.length > MAX_LOADED) {
      this.events = this.events.slice(0, MAX_LOADED);
      this.hasMore = true;
      this.#cursor = undefined;
    }
  }

  #paged(page: EventPage): void {
    this.hasMore = page.has_more;
    this.#cursor = page.next_cursor ?? undefined;
    this.lookedBackTo = page.looked_to ?? undefined;
  }

  /** Show that the events cannot be read, and why. */
  failed(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.error = error;
    this.phase = error.status === 401 ? 'signed-out' : error.status === 403 ? 'forbidden' : 'failed';
    this.changed();
  }
}
