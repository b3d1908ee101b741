import type { Client } from '../api/client.js';
import { SharedStream } from './shared.js';
import type { StreamStatus } from './stream.js';
import type { FeedEvent, WireEvent } from '../api/wire.js';

export interface LiveHandlers {
  events(events: FeedEvent[]): void;
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
  #waiting: WireEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushed = 0;

  constructor(
    private readonly client: Client,
    principal: string,
    private readonly handlers: LiveHandlers,
  ) {
    const name = ['activity', new URL(client.base, location.href).href, principal, client.locale].join(' ');
    this.#stream = new SharedStream(name, (after, signal) => client.stream(after, signal), {
      message: ({ type, data }) => {
        if (type === 'message') this.#add(JSON.parse(data) as WireEvent);
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

  #add(event: WireEvent): void {
    this.#waiting.push(event);
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#flushed + BATCH_EVERY - Date.now()));
  }

  #flush(): void {
    this.#timer = undefined;
    this.#flushed = Date.now();
    this.handlers.events(this.#waiting.splice(0).map((event) => this.client.decorate(event)));
  }
}

/** A name for the caller that does not reveal the token: only tabs of the same caller share a stream. */
export async function principalOf(client: Client): Promise<string> {
  const token = typeof client.token === 'function' ? await client.token() : client.token;
  if (!token) return 'session';
  if (!crypto.subtle) return crypto.getRandomValues(new Uint32Array(4)).join('-');
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  return [...new Uint8Array(digest).slice(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
