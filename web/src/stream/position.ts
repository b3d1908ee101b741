/** A place in the log: the log's epoch and the number of the last event seen. */
export interface Position {
  epoch: string;
  seq: number;
}

/** Read `epoch-seq` as the stream writes it; undefined for anything else. */
export function parsePosition(text: string | null | undefined): Position | undefined {
  const match = /^(.+)-(\d+)$/.exec(text ?? '');
  return match ? { epoch: match[1]!, seq: Number(match[2]) } : undefined;
}

/** Whether `a` lies behind `b`, or in another epoch. */
export function isBehind(a: string | undefined, b: string | undefined): boolean {
  const [one, other] = [parsePosition(a), parsePosition(b)];
  return !!other && (!one || one.epoch !== other.epoch || one.seq < other.seq);
}
