import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SseParser, type SseMessage } from '../src/stream/sse.js';

// Beside our own vectors the large foreign set, where it is.
const shared = process.env.ACTIVITY_SHARED_DATA ?? new URL('../../../shared/data', import.meta.url).pathname;
const paths = [
  new URL('../../tests/data/sse.json', import.meta.url).pathname,
  `${shared}/conformance/sse/sse_vectors.json`,
];

interface Vector {
  name: string;
  chunks: string[];
  events: SseMessage[];
}

const read = (chunks: Iterable<string>) => {
  const parser = new SseParser();
  return [...chunks].flatMap((chunk) => parser.push(chunk));
};

describe('the stream reader', () => {
  const vectors: Vector[] = paths
    .filter(existsSync)
    .flatMap((path) => JSON.parse(readFileSync(path, 'utf8')).vectors);

  it.each(vectors)('reads: $name', ({ chunks, events }) => {
    expect(read(chunks)).toEqual(events);
    const text = chunks.join('');
    expect(read(text)).toEqual(events);
    expect(read(text.match(/[\s\S]{1,2}/g) ?? [])).toEqual(events);
  });

  it('drops a byte order mark at the start alone', () => {
    expect(read(['\uFEFFdata: a\n\n', '\uFEFFdata: b\n\n']).map((message) => message.data)).toEqual(['a']);
  });

  it('takes a reconnection time that is a number', () => {
    const parser = new SseParser();
    parser.push('retry: 2500\nretry: soon\n\n');
    expect(parser.retry).toBe(2500);
  });
});
