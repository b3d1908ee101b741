import type { Client } from '../api/client.js';
import { SharedStream } from './shared.js';
import type { StreamStatus } from './stream.js';
import type { FeedEvent, WireEvent } from '../api/wire.js';

export interface LiveHandlers {
  events(events: FeedEvent[]): void;
  /** Earlier events that read otherwise now. */
  changed(events: FeedEvent[]): void;
  status(status: StreamStatus): void;
  /** Events were missed: read them. */
  gap(): void;
  /** The log's epoch changed: read the feed anew. */
  reset(): void;
}

const BATCH_EVERY = 100; // ms: a flood is drawn in pieces

/** The live events of a workspace, ready to be drawn, in small batches. */
export class Live {
  readonly #stream: SharedStream;
  readonly #waiting: WireEvent[] = [];
  readonly #changed: WireEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushed = 0;

  constructor(
    private readonly client: Client,
    caller: string,
    private readonly handlers: LiveHandlers,
  ) {
    const name = ['activity', caller, client.locale].join(' ');
    this.#stream = new SharedStream(name, (after, signal) => client.stream(after, signal), {
      message: ({ type, data }) => {
        if (type === 'message') this.#add(this.#waiting, data);
        else if (type === 'changed') this.#add(this.#changed, data);
        else if (type === 'reset') handlers.reset();
      },
      status: (status) => handlers.status(status),
      gap: () => handlers.gap(),
    });
  }

  start(after: string | undefined): void {
    this.#stream.start(after);
  }

  close(): void {
    this.#stream.close();
    clearTimeout(this.#timer);
  }

  #add(to: WireEvent[], data: string): void {
    to.push(JSON.parse(data) as WireEvent);
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#flushed + BATCH_EVERY - Date.now()));
  }

  #flush(): void {
    this.#timer = undefined;
    this.#flushed = Date.now();
    const [events, changed] = [this.#waiting, this.#changed].map((all) =>
      all.splice(0).map((event) => this.client.decorate(event)),
    ) as [FeedEvent[], FeedEvent[]];
    if (events.length) this.handlers.events(events);
    if (changed.length) this.handlers.changed(changed);
  }
}
