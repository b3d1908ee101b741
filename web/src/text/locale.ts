import { english } from './english.js';
import { german } from './german.js';
import type { Words } from './words.js';

export type Locale = 'en' | 'de';
export const wordsFor = (locale: Locale): Words => (locale === 'de' ? german : english);
/** How dates are written. */
export const dateLocale = (locale: Locale): string => (locale === 'de' ? 'de-DE' : 'en-GB');
/** The language asked for, else the browser's, else English. */
export function knownLocale(asked: string | null | undefined): Locale {
  return (asked || navigator.language).toLowerCase().startsWith('de') ? 'de' : 'en';
}
