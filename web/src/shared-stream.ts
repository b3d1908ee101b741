import { isBehind } from './position.js';
import type { SseMessage } from './sse.js';
import { Stream, type StreamHandlers, type StreamStatus } from './stream.js';

type Told =
  | { kind: 'message'; message: SseMessage; position: string | undefined }
  | { kind: 'status'; status: StreamStatus }
  | { kind: 'leading'; status: StreamStatus; position: string | undefined }
  | { kind: 'who' };

export interface SharedHandlers extends StreamHandlers {
  /** Events between what this tab has and what is told from now on are missing: read the list again. */
  gap(): void;
}

/**
 * One stream for all tabs of a browser: the tab that holds the lock reads it and tells the others. When that tab goes, the next one
 * takes over from the last position it was told. Where the browser has no locks (no https), each tab reads for itself.
 */
export class SharedStream {
  readonly #stream: Stream;
  readonly #channel: BroadcastChannel | undefined;
  #release: (() => void) | undefined;
  #waiting: AbortController | undefined;
  #status: StreamStatus = 'connecting';
  #seen: string | undefined;

  constructor(
    private readonly name: string,
    open: (after: string | undefined, signal: AbortSignal) => Promise<Response>,
    private readonly handlers: SharedHandlers,
  ) {
    this.#stream = new Stream(open, {
      message: (message) => this.#tell({ kind: 'message', message, position: this.#stream.position }),
      status: (status) => this.#tell({ kind: 'status', status }),
    });
    this.#channel = navigator.locks && 'BroadcastChannel' in globalThis ? new BroadcastChannel(name) : undefined;
    this.#channel?.addEventListener('message', ({ data }: MessageEvent<Told>) => this.#hear(data));
  }

  /** Tell what happens after a position. */
  start(after: string | undefined): void {
    this.stop();
    this.#seen = after;
    for (const [name, on] of Object.entries(this.#wakers)) globalThis.addEventListener(name, on);
    if (!this.#channel) return this.#stream.start(after);
    this.#waiting = new AbortController();
    this.#channel.postMessage({ kind: 'who' } satisfies Told);
    const lead = () => new Promise<void>((release) => this.#lead(release));
    navigator.locks.request(this.name, { signal: this.#waiting.signal }, lead).catch(() => undefined); // given up while waiting
  }

  stop(): void {
    for (const [name, on] of Object.entries(this.#wakers)) globalThis.removeEventListener(name, on);
    this.#rest();
  }

  close(): void {
    this.stop();
    this.#channel?.close();
  }

  readonly #wakers: Record<string, (event: Event) => void> = {
    online: () => this.#stream.renew(),
    offline: () => this.handlers.status('offline'),
    visibilitychange: () => document.visibilityState === 'visible' && this.#stream.wake(),
    pagehide: () => this.#rest(),
    pageshow: (event) => (event as PageTransitionEvent).persisted && this.start(this.#seen),
  };

  #rest(): void {
    this.#waiting?.abort();
    this.#stream.stop();
    this.#release?.();
    this.#release = undefined;
  }

  #lead(release: () => void): void {
    this.#release = release;
    this.#channel?.postMessage(this.#leading());
    this.#stream.start(this.#seen);
  }

  #leading(): Told {
    return { kind: 'leading', status: this.#status, position: this.#seen };
  }

  #tell(told: Told): void {
    this.#hear(told);
    this.#channel?.postMessage(told);
  }

  #hear(told: Told): void {
    if (told.kind === 'who') {
      if (this.#release) this.#channel?.postMessage(this.#leading());
      return;
    }
    if (told.kind === 'message') {
      this.#seen = told.position;
      return this.handlers.message(told.message);
    }
    this.#status = told.status;
    this.handlers.status(told.status);
    if (told.kind === 'leading' && isBehind(this.#seen, told.position)) {
      this.#seen = told.position;
      this.handlers.gap();
    }
  }
}
