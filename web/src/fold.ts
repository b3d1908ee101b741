import { dayKey, instant } from './time.js';
import type { FeedEvent } from './wire.js';

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
    newer.account_id === older.account_id &&
    newer.contact_id === older.contact_id &&
    newer.record_type === older.record_type &&
    newer.record_id === older.record_id &&
    instant(newer.occurred_at) - instant(older.occurred_at) <= WITHIN &&
    dayKey(newer.occurred_at, zone) === dayKey(older.occurred_at, zone)
  );
}

/** Rows for events in feed order: neighbouring repeats of what the catalogue calls foldable become one row. Nothing is lost by it. */
export function fold(events: readonly FeedEvent[], zone: string, on = true): Row[] {
  const rows: Row[] = [];
  for (const event of events) {
    const row = rows.at(-1);
    if (on && row && event.foldable && isRepeat(row.repeats.at(-1) ?? row.event, event, zone)) row.repeats.push(event);
    else rows.push({ event, repeats: [] });
  }
  return rows;
}
