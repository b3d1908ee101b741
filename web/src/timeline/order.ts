import { instant } from '../text/time.js';
import type { FeedEvent } from '../api/wire.js';

/** How many events a page holds at most; beyond it the far end is dropped and read again when scrolled to. */
export const MAX_LOADED = 2000;

/** The feed's order: the newest occurrence first, the later recorded first among equals. */
export function compare(a: FeedEvent, b: FeedEvent): number {
  return instant(b.occurred_at) - instant(a.occurred_at) || b.seq - a.seq;
}

/** Both lists in feed order, each event once; the first list itself when the second has nothing new. */
export function merge(events: readonly FeedEvent[], more: readonly FeedEvent[]): readonly FeedEvent[] {
  const known = new Set(events.map((event) => event.event_id));
  const fresh = more.filter((event) => !known.has(event.event_id) && known.add(event.event_id));
  return fresh.length ? [...events, ...fresh].sort(compare) : events;
}

/** Where a new event belongs: above what is being read, within it, or in what is not loaded yet. */
export function place(
  event: FeedEvent,
  top: FeedEvent | undefined,
  last: FeedEvent | undefined,
  hasMore: boolean,
): 'above' | 'within' | 'unread' {
  if (hasMore && last && compare(event, last) > 0) return 'unread';
  return !top || compare(event, top) < 0 ? 'above' : 'within';
}
