/** One message of an event stream. `id` is the last id that the stream sent so far. */
export interface SseMessage {
  type: string;
  data: string;
  id: string;
}

/** Reads text/event-stream, in chunks cut anywhere, as the HTML standard defines it. */
export class SseParser {
  #buffer = '';
  #swallow: string | undefined = '\uFEFF';
  #data: string[] = [];
  #type = '';
  #id = '';
  /** The reconnection time that the server asked for, in milliseconds. */
  retry: number | undefined;

  /** Add the next chunk and return the messages that it completes. */
  push(chunk: string): SseMessage[] {
    if (!chunk) return [];
    // A byte order mark opens the stream; a CR ends its line at once, and an LF that follows belongs to it.
    if (chunk[0] === this.#swallow) chunk = chunk.slice(1);
    this.#swallow = chunk.endsWith('\r') ? '\n' : undefined;
    const lines = (this.#buffer + chunk).split(/\r\n|\r|\n/);
    this.#buffer = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): SseMessage[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return [];
  }

  #dispatch(): SseMessage[] {
    const message = { type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id };
    const hasData = this.#data.length > 0;
    this.#data = [];
    this.#type = '';
    return hasData ? [message] : [];
  }
}
