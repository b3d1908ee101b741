import type { Filters } from '../api/filters.js';
import type { FeedEvent } from '../api/wire.js';
import type { Locale } from '../text/locale.js';
import type { Words } from '../text/words.js';

/** What the parts of a feed need to know of it to draw themselves, and what they can ask of it. */
export interface Context {
  words: Words;
  locale: Locale;
  dates: string;
  zone: string;
  now: number;
  filters: Filters;
  /** The level of a day's heading: one below the feed's own. */
  level: number;
  recordTemplate: string | undefined;
  /** The page of the whole workspace. */
  allHref: string;
  eventHref(event: FeedEvent): string;
  scopeHref(kind: 'account' | 'contact' | 'record', id: string): string;
  open(id: string, how?: 'push' | 'replace'): void;
  close(): void;
  filter(change: Partial<Filters>): void;
  copy(text: string): void;
}
