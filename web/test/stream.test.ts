import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SseMessage } from '../src/stream/sse.js';
import { backOff, Stream, type StreamStatus } from '../src/stream/stream.js';

const id = (seq: number) => `e-${String(seq).padStart(16, '0')}`;
const frame = (seq: number) => `id: ${id(seq)}\ndata: {"seq": ${seq}}\n\n`;
const hello = `event: hello\ndata: {"position": "${id(0)}", "recovered": true, "heartbeat_s": 20}\n\n`;
const heartbeat = (seq: number) => `event: hb\nid: ${id(seq)}\ndata: {"position": "${id(seq)}"}\n\n`;

/** A server whose connections each send a text; the last one stays open. */
function served(texts: (string | Response)[]) {
  const asked: (string | undefined)[] = [];
  const seen: number[] = [];
  const statuses: StreamStatus[] = [];
  const open = async (after: string | undefined, signal: AbortSignal) => {
    asked.push(after);
    const text = texts.shift() ?? '';
    if (text instanceof Response) return text;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        signal.addEventListener('abort', () => controller.error(signal.reason));
        if (texts.length) controller.close();
      },
    });
    return new Response(body);
  };
  const message = ({ type, data }: SseMessage) =>
    void (type === 'message' && seen.push(JSON.parse(data).seq));
  return {
    stream: new Stream(open, { message, status: (status) => void statuses.push(status) }),
    asked,
    seen,
    statuses,
  };
}

describe('the live stream', () => {
  beforeEach(() => void vi.stubGlobal('navigator', { onLine: true }).useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('goes on after a break from the last event it saw', async () => {
    const { stream, asked, seen, statuses } = served([hello + frame(1) + frame(2), hello + frame(3)]);
    stream.start(id(0));
    await vi.advanceTimersByTimeAsync(40_000);
    stream.stop();
    expect(asked).toEqual([id(0), id(2)]);
    expect(seen).toEqual([1, 2, 3]);
    expect(statuses).toEqual(['connecting', 'live', 'live']);
  });

  it('reports a break that lasts', async () => {
    const { stream, statuses } = served([
      hello,
      ...Array.from({ length: 9 }, () => new Response('', { status: 503 })),
    ]);
    stream.start(undefined);
    await vi.advanceTimersByTimeAsync(10_000);
    stream.stop();
    expect(statuses.slice(0, 3)).toEqual(['connecting', 'live', 'reconnecting']);
  });

  it('gives a silent connection up after two and a half heartbeats', async () => {
    const { stream, asked } = served([hello]);
    stream.start(id(7));
    await vi.advanceTimersByTimeAsync(49_000);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    stream.stop();
    expect(asked).toEqual([id(7), id(7)]);
  });

  it('notices by a heartbeat that events were lost, and asks for them once', async () => {
    const { stream, asked, seen } = served([
      hello + frame(1) + heartbeat(3),
      hello + frame(2) + frame(3) + heartbeat(3),
    ]);
    stream.start(id(0));
    await vi.advanceTimersByTimeAsync(5_000);
    stream.stop();
    expect(asked).toEqual([id(0), id(1)]);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('accepts a position that two heartbeats repeat', async () => {
    const { stream, asked } = served([hello + heartbeat(3), hello + heartbeat(3)]);
    stream.start(id(1));
    await vi.advanceTimersByTimeAsync(5_000);
    stream.stop();
    expect(asked).toEqual([id(1), id(1)]);
    expect(stream.position).toBe(id(3));
  });

  it('stops where trying again is of no use', async () => {
    const { stream, asked, statuses } = served([new Response('{}', { status: 403 }), '']);
    stream.start(id(1));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
    expect(statuses.at(-1)).toBe('stopped');
  });

  it('waits as long as the server asks', async () => {
    const { stream, asked } = served([
      new Response('{}', { status: 429, headers: { 'Retry-After': '20' } }),
      '',
    ]);
    stream.start(id(1));
    await vi.advanceTimersByTimeAsync(19_000);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_000);
    stream.stop();
    expect(asked).toHaveLength(2);
  });

  it('spreads its tries up to a bound that doubles to 30 s', () => {
    expect([0, 1, 9].map((n) => backOff(n, 0, 500, () => 1))).toEqual([500, 1000, 30_000]);
    expect(backOff(3, 200, 500, () => 0)).toBe(200);
  });
});
