import { isBehind } from './position.js';
import type { SseMessage } from './sse.js';
import { Stream, type StreamHandlers, type StreamStatus } from './stream.js';

type TabMessage =
  | { kind: 'message'; message: SseMessage; position: string | undefined }
  | { kind: 'status'; status: StreamStatus }
  | { kind: 'leading'; status: StreamStatus; position: string | undefined }
  | { kind: 'who' };

export interface SharedHandlers extends StreamHandlers {
  /** Events between the last one received and the next are missing: read the list again. */
  gap(): void;
}

/**
 * One stream for all tabs of a browser: the tab that holds the lock reads it and broadcasts it to the others.
 * When that tab closes, the next one takes over from the last position it received. Where the browser has no
 * locks (no https), each tab reads for itself.
 */
export class SharedStream {
  readonly #stream: Stream;
  readonly #channel: BroadcastChannel | undefined;
  #unlock: (() => void) | undefined;
  #waiting: AbortController | undefined;
  #status: StreamStatus = 'connecting';
  #seen: string | undefined;

  constructor(
    private readonly name: string,
    open: (after: string | undefined, signal: AbortSignal) => Promise<Response>,
    private readonly handlers: SharedHandlers,
  ) {
    this.#stream = new Stream(open, {
      message: (message) => this.#broadcast({ kind: 'message', message, position: this.#stream.position }),
      status: (status) => this.#broadcast({ kind: 'status', status }),
    });
    this.#channel =
      navigator.locks && 'BroadcastChannel' in globalThis ? new BroadcastChannel(name) : undefined;
    this.#channel?.addEventListener('message', ({ data }: MessageEvent<TabMessage>) => this.#receive(data));
  }

  /** Report the events after a position. */
  start(after: string | undefined): void {
    this.stop();
    this.#seen = after;
    for (const [name, on] of Object.entries(this.#wakers)) globalThis.addEventListener(name, on);
    if (!this.#channel) return this.#stream.start(after);
    this.#waiting = new AbortController();
    this.#channel.postMessage({ kind: 'who' } satisfies TabMessage);
    const lead = () => new Promise<void>((release) => this.#lead(release));
    const { signal } = this.#waiting;
    navigator.locks.request(this.name, { signal }, lead).catch(() => undefined); // aborted while waiting
  }

  stop(): void {
    for (const [name, on] of Object.entries(this.#wakers)) globalThis.removeEventListener(name, on);
    this.#release();
  }

  close(): void {
    this.stop();
    this.#channel?.close();
  }

  readonly #wakers: Record<string, (event: Event) => void> = {
    online: () => this.#stream.renew(),
    offline: () => this.handlers.status('offline'),
    visibilitychange: () => document.visibilityState === 'visible' && this.#stream.wake(),
    pagehide: () => this.#release(),
    pageshow: (event) => (event as PageTransitionEvent).persisted && this.start(this.#seen),
  };

  #release(): void {
    this.#waiting?.abort();
    this.#stream.stop();
    this.#unlock?.();
    this.#unlock = undefined;
  }

  #lead(release: () => void): void {
    this.#unlock = release;
    this.#channel?.postMessage(this.#leading());
    this.#stream.start(this.#seen);
  }

  #leading(): TabMessage {
    return { kind: 'leading', status: this.#status, position: this.#seen };
  }

  #broadcast(message: TabMessage): void {
    this.#receive(message);
    this.#channel?.postMessage(message);
  }

  #receive(received: TabMessage): void {
    if (received.kind === 'who') {
      if (this.#unlock) this.#channel?.postMessage(this.#leading());
      return;
    }
    if (received.kind === 'message') {
      this.#seen = received.position;
      return this.handlers.message(received.message);
    }
    this.#status = received.status;
    this.handlers.status(received.status);
    if (received.kind === 'leading' && isBehind(this.#seen, received.position)) {
      this.#seen = received.position;
      this.handlers.gap();
    }
  }
}
