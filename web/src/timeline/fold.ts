import { dayKey, instant } from '../text/time.js';
import type { FeedEvent } from '../api/wire.js';

/** One row of the feed: an event, and the older repeats of it that it stands for. */
export interface Row {
  event: FeedEvent;
  repeats: FeedEvent[];
}

const WITHIN = 30 * 60 * 1e6; // microseconds between neighbours

function isRepeat(newer: FeedEvent, older: FeedEvent, zone: string): boolean {
  return (
    newer.type === older.type &&
    newer.actor === older.actor &&
    newer.summary === older.summary &&
    !newer.retracted === !older.retracted &&
    newer.account_id === older.account_id &&
    newer.contact_id === older.contact_id &&
    newer.record_type === older.record_type &&
    newer.record_id === older.record_id &&
    instant(newer.occurred_at) - instant(older.occurred_at) <= WITHIN &&
    dayKey(newer.occurred_at, zone) === dayKey(older.occurred_at, zone)
  );
}

/** Rows for events in feed order. Neighbouring repeats of a foldable type become one row that holds them. */
export function fold(events: readonly FeedEvent[], zone: string, on = true): Row[] {
  const rows: Row[] = [];
  for (const event of events) {
    const row = rows.at(-1);
    if (on && row && event.foldable && isRepeat(row.repeats.at(-1) ?? row.event, event, zone))
      row.repeats.push(event);
    else rows.push({ event, repeats: [] });
  }
  return rows;
}

/** The rows of a feed, those that the reader expanded unfolded; computed again only when an input changed. */
export class Rows {
  #rows: readonly Row[] = [];
  #inputs: readonly unknown[] = [];

  of(events: readonly FeedEvent[], expanded: ReadonlySet<string>, on: boolean, zone: string): readonly Row[] {
    const inputs = [events, expanded, on, zone];
    if (inputs.every((input, n) => input === this.#inputs[n])) return this.#rows;
    this.#inputs = inputs;
    const unfold = (row: Row) => (expanded.has(row.event.event_id) ? unfolded(row) : [row]);
    return (this.#rows = fold(events, zone, on).flatMap(unfold));
  }
}

const unfolded = ({ event, repeats }: Row): Row[] =>
  [event, ...repeats].map((one) => ({ event: one, repeats: [] }));

/** The expanded rows after one was expanded or folded again. */
export function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const others = new Set(ids);
  if (!others.delete(id)) others.add(id);
  return others;
}
