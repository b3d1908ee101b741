import { instant } from './time.js';
import type { FeedEvent } from './wire.js';

/** The most events a page keeps; beyond it the far end is dropped and read again when scrolled to. */
export const MOST_KEPT = 2000;

/** The feed's order: the newest occurrence first, the later recorded first among equals. */
export function compare(a: FeedEvent, b: FeedEvent): number {
  return instant(b.occurred_at) - instant(a.occurred_at) || b.seq - a.seq;
}

/** The events in feed order with the new ones among them, each once; the same list when there is nothing new. */
export function merge(events: readonly FeedEvent[], more: readonly FeedEvent[]): readonly FeedEvent[] {
  const known = new Set(events.map((event) => event.event_id));
  const fresh = more.filter((event) => !known.has(event.event_id) && known.add(event.event_id));
  return fresh.length ? [...events, ...fresh].sort(compare) : events;
}

/** Where a new event belongs as seen by a reader: above what is read, among it, or in what is not loaded yet. */
export function place(event: FeedEvent, top: FeedEvent | undefined, last: FeedEvent | undefined, hasMore: boolean): 'above' | 'within' | 'unread' {
  if (hasMore && last && compare(event, last) > 0) return 'unread';
  return !top || compare(event, top) < 0 ? 'above' : 'within';
}
