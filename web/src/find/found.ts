import type { Words } from '../text/words.js';

/** What the lists, the search and the touches need of the page to draw themselves. */
export interface Found {
  words: Words;
  zone: string;
  dates: string;
  /** An address of the page. */
  href(query: [string, string][]): string;
}
