import { ApiError, type Client } from '../api/client.js';
import { matches } from '../api/filters.js';
import { Live, type LiveHandlers } from '../stream/live.js';
import type { FeedModel, Reader } from '../timeline/model.js';
import { isReading, keepPlace, topRow } from '../timeline/reading.js';
import type { StreamStatus } from '../stream/stream.js';
import type { FeedEvent } from '../api/wire.js';

const MAX_REQUESTS = 20;

/** What arrivals need of the feed that shows them. */
export interface ArrivalsFeed {
  status: StreamStatus;
  readonly model: FeedModel;
  readonly list: HTMLElement | null;
  readonly renderRoot: ParentNode;
  readonly updateComplete: Promise<boolean>;
  reload(): Promise<void>;
  announce(): void;
}

/** Brings live events into a feed without moving what is being read. */
export class Arrivals implements LiveHandlers {
  #live: Live | undefined;
  #requested = new Set<string>();
  #catchingUp: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly feed: ArrivalsFeed,
    private readonly client: Client,
  ) {}

  /** Receive what comes after a position. Tabs of the same caller share one stream. */
  start(after: string | undefined, caller: string): void {
    this.#live = new Live(this.client, caller, this);
    this.#live.start(after);
  }

  close(): void {
    this.#live?.close();
    clearTimeout(this.#catchingUp);
  }

  status(status: StreamStatus): void {
    this.feed.status = status;
  }

  events(events: readonly FeedEvent[]): void {
    const { model } = this.feed;
    model.forget(events);
    if (model.filters.tab === 'hierarchy') this.#catchingUp ??= setTimeout(() => this.#catchUp(), 1000);
    const shown = events.filter((event) => matches(event, model.filters));
    if (!shown.length) return;
    void this.keepingPlace(() => model.receive(shown, this.#reader()));
    void this.#loadNames(shown);
  }

  changed(events: readonly FeedEvent[]): void {
    void this.keepingPlace(() => this.feed.model.replace(events));
  }

  gap(): void {
    this.#catchUp();
    this.client.erasures().then(
      (events) => this.feed.model.forget(events),
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error; // the next gap or reload comes here again
      },
    );
  }

  #catchUp(): void {
    this.#catchingUp = undefined;
    void this.keepingPlace(() => this.feed.model.catchUp(() => this.#reader()));
  }

  reset(): void {
    void this.feed.reload();
  }

  /** Change the list without moving what is read. */
  async keepingPlace(change: () => unknown): Promise<void> {
    await keepPlace(this.feed.list, async () => (await change(), await this.feed.updateComplete));
    this.feed.announce();
  }

  #reader(): Reader {
    const { list, model } = this.feed;
    const top = list && topRow(list)?.dataset.id;
    const focused = (this.feed.renderRoot as ShadowRoot).activeElement;
    return {
      isReading: !!list && isReading(list, focused),
      topEvent: model.events.find((event) => event.event_id === top),
    };
  }

  /** Request, once each, the names of accounts and contacts that a live event is the first to mention. */
  async #loadNames(events: readonly FeedEvent[]): Promise<void> {
    const accounts = events
      .filter((event) => event.account_id && !event.account_name)
      .map((event) => `account ${event.account_id}`);
    const contacts = events
      .filter((event) => event.contact_id && !event.contact_name)
      .map((event) => `contact ${event.contact_id}`);
    const unknown = [...new Set([...accounts, ...contacts])]
      .filter((one) => !this.#requested.has(one))
      .slice(0, MAX_REQUESTS);
    if (!unknown.length) return;
    for (const one of unknown) this.#requested.add(one);
    const ask = (one: string) =>
      one.startsWith('account ') ? this.client.account(one.slice(8)) : this.client.contact(one.slice(8));
    await Promise.allSettled(unknown.map(ask)); // without a record the id is shown
    this.feed.model.refresh();
  }
}
