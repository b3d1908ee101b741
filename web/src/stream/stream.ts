import { problem } from '../api/client.js';
import { isBehind } from './position.js';
import { SseParser, type SseMessage } from './sse.js';

export type StreamStatus = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'stopped';

export interface StreamHandlers {
  message(message: SseMessage): void;
  status(status: StreamStatus): void;
}

const MAX_DELAY = 30_000; // ms between tries
const SHOWN_AFTER = 3_000; // ms without a connection before the page shows it

/**
 * How long to wait before try number `n`, in milliseconds: what the server asked for, and a random time up to
 * a bound that doubles with each try. The server also sets the first bound.
 */
export function backOff(n: number, asked = 0, first = 500, random = Math.random): number {
  return asked + random() * (n ? Math.min(MAX_DELAY, 500 * 2 ** n) : first);
}

/**
 * Reads the event stream from `start` to `stop`. Resumes after every break from the last position, notices a
 * dead connection by missing heartbeats, and lost events by a heartbeat that is ahead of what arrived.
 */
export class Stream {
  #position: string | undefined;
  #stop: AbortController | undefined;
  #connection: AbortController | undefined;
  #heartbeat = 20_000;
  #tries = 0;
  #asked = 0;
  #first = 500;
  #suspect: string | undefined;
  #wake: (() => void) | undefined;
  #shown: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly open: (after: string | undefined, signal: AbortSignal) => Promise<Response>,
    private readonly handlers: StreamHandlers,
  ) {}

  get position(): string | undefined {
    return this.#position;
  }

  start(after: string | undefined): void {
    this.stop();
    this.#position = after;
    this.#stop = new AbortController();
    this.handlers.status('connecting');
    void this.#run(this.#stop.signal);
  }

  stop(): void {
    this.#stop?.abort();
    this.#connection?.abort();
    this.#hideDisconnected();
  }

  /** Try again now instead of waiting: the network came back, or the page did. */
  wake(): void {
    this.#asked = 0;
    this.#tries = 0;
    this.#wake?.();
  }

  /** Replace the connection by a new one: it may be dead without a sign. */
  renew(): void {
    this.wake();
    this.#connection?.abort();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      const ended = await this.#connect(stopped).catch(() => false);
      if (stopped.aborted) return;
      if (ended) return this.handlers.status('stopped');
      this.#showDisconnected();
      await this.#pause(backOff(this.#tries++, this.#asked, this.#first));
      this.#asked = 0;
    }
  }

  /** Read one connection to its end; return whether to stop for good. */
  async #connect(stopped: AbortSignal): Promise<boolean> {
    const connection = (this.#connection = new AbortController());
    stopped.addEventListener('abort', () => connection.abort(), { once: true });
    const patience = () => setTimeout(() => connection.abort(), 2.5 * this.#heartbeat);
    let watchdog = patience();
    try {
      const response = await this.open(this.#position, connection.signal);
      if (response.status === 204) return true;
      if (!response.ok || !response.body) return this.#rejected(response);
      const parser = new SseParser();
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      const reader = response.body.getReader();
      for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
        clearTimeout(watchdog);
        watchdog = patience();
        for (const message of parser.push(decoder.decode(value, { stream: true }))) this.#handle(message);
        this.#first = Math.min(parser.retry ?? this.#first, MAX_DELAY);
      }
      return false;
    } finally {
      clearTimeout(watchdog);
      connection.abort();
    }
  }

  async #rejected(response: Response): Promise<boolean> {
    const error = await problem(response);
    this.#asked = (error.retryAfter ?? 0) * 1000;
    return !error.isTransient;
  }

  #handle(message: SseMessage): void {
    const data = JSON.parse(message.data) as { position?: string; heartbeat_s?: number; retry_ms?: number };
    if (message.type === 'hello') {
      this.#tries = 0;
      if (data.heartbeat_s) this.#heartbeat = data.heartbeat_s * 1000;
      this.#hideDisconnected();
      this.handlers.status('live');
    } else if (message.type === 'hb') {
      if (this.#lost(data.position ?? message.id)) return this.#connection?.abort();
    } else if (message.type === 'bye') {
      this.#asked = data.retry_ms ?? 0;
    }
    if (message.id && message.type !== 'hello') this.#position = message.id;
    if (message.type === 'reset') this.#position = data.position; // the old one would be rejected again
    this.handlers.message(message);
  }

  /** Whether events before a heartbeat's position are missing; not a second time at the same position. */
  #lost(position: string): boolean {
    const lost = isBehind(this.#position, position) && this.#suspect !== this.#position;
    if (lost) this.#suspect = this.#position;
    return lost;
  }

  /** Show that the connection is lost, unless it is back soon. */
  #showDisconnected(): void {
    const status = () => this.handlers.status(navigator.onLine === false ? 'offline' : 'reconnecting');
    this.#shown ??= setTimeout(status, navigator.onLine === false ? 0 : SHOWN_AFTER);
  }

  #hideDisconnected(): void {
    clearTimeout(this.#shown);
    this.#shown = undefined;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
