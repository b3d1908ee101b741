import type { Words } from './words.js';

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([locale, zone, options]);
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(locale, { timeZone: zone, ...options })));
  return found;
}

/** The zone's name if this browser knows it, else the browser's own zone. */
export function knownZone(zone: string | null | undefined): string {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return zone ? new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone : own;
  } catch {
    return own;
  }
}

/** A moment as microseconds since 1970, so that moments with different numbers of digits compare rightly. */
export function instant(iso: string): number {
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? '';
  return Math.floor(Date.parse(iso) / 1000) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** The calendar day of a moment in a zone, as 2026-11-22. */
export function dayKey(at: string | number, zone: string): string {
  return format('en-CA', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(at));
}

/** How far a zone's clocks are ahead of UTC at a moment, in milliseconds. */
function ahead(at: number, zone: string): number {
  const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' } as const;
  const clock = format('en', zone, { ...fields, minute: 'numeric', second: 'numeric', hourCycle: 'h23' });
  const parts = new Map(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const [year, month, ...rest] = ['year', 'month', 'day', 'hour', 'minute', 'second'].map((of) =>
    parts.get(of as Intl.DateTimeFormatPartTypes),
  ) as [number, number, number, number, number, number];
  return Date.UTC(year, month - 1, ...rest) - Math.floor(at / 1000) * 1000;
}

/**
 * The moment at which the clocks of a zone show 2026-11-20T09:00. Of two such moments it is the earlier;
 * where the clocks skip that time, it is as long after the skip began as the time is.
 */
export function momentOf(wall: string, zone: string): string {
  const shown = Date.parse(`${wall}Z`);
  const before = ahead(shown - 86_400_000, zone);
  const known = [before, ahead(shown + 86_400_000, zone)].map((one) => shown - one);
  const found = known.filter((at) => at + ahead(at, zone) === shown);
  return new Date(found.length ? Math.min(...found) : shown - before).toISOString();
}

/** The first moment of a calendar day in a zone, or of the day so many days later. */
export function startOfDay(day: string, zone: string, later = 0): string {
  const date = new Date(Date.parse(`${day}T00:00Z`) + later * 86_400_000).toISOString().slice(0, 10);
  return momentOf(`${date}T00:00`, zone);
}

/** The last calendar day before a moment in a zone. */
export const dayBefore = (at: string, zone: string): string => dayKey(Date.parse(at) - 1, zone);

/** The heading of a day: Today, Yesterday, a weekday of the last six days, else the date. */
export function dayHeading(day: string, today: string, locale: string, words: Words): string {
  const at = Date.parse(`${day}T12:00:00Z`);
  const ago = Math.round((Date.parse(`${today}T12:00:00Z`) - at) / 86_400_000);
  if (ago === 0) return words.today;
  if (ago === 1) return words.yesterday;
  if (ago > 1 && ago <= 6) return format(locale, 'UTC', { weekday: 'long' }).format(at);
  const year = day.slice(0, 4) === today.slice(0, 4) ? undefined : 'numeric';
  return format(locale, 'UTC', { day: 'numeric', month: 'long', year }).format(at);
}

/** A calendar day in full: 25 Oct 2026. */
export const dateText = (day: string, locale: string): string =>
  format(locale, 'UTC', { dateStyle: 'medium' }).format(Date.parse(`${day}T12:00Z`));

/** The time of a row under its day heading: now, 3 min, else 20:14. */
export function rowTime(iso: string, now: number, zone: string, locale: string, words: Words): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds > -60 && seconds < 60) return words.now;
  if (seconds >= 60 && seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return format(locale, zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
    Date.parse(iso),
  );
}

/** A moment in full: 22 Nov 2026, 20:14:03.120 GMT+1. */
export function exactTime(iso: string, zone: string, locale: string): string {
  return format(locale, zone, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
    timeZoneName: 'short',
  } as Intl.DateTimeFormatOptions).format(Date.parse(iso));
}

/** A length of time in its two largest units: 312 ms, 4.2 s, 3 min 5 s, 2 d 4 h. */
export function duration(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const sign = milliseconds < 0 ? '−' : '';
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 60_000) return `${sign}${Math.floor(size / 100) / 10} s`;
  const units: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  const first = units.findIndex(([length]) => size >= length);
  const [[large, one], next] = [units[first]!, units[first + 1]];
  const rest = next ? Math.floor((size % large) / next[0]) : 0;
  return `${sign}${Math.floor(size / large)} ${one}${next && rest ? ` ${rest} ${next[1]}` : ''}`;
}

/** How long after it happened an event was recorded, in milliseconds. */
export const lag = (event: { occurred_at: string; recorded_at: string }) =>
  (instant(event.recorded_at) - instant(event.occurred_at)) / 1000;

/** Whether an event was recorded well after it happened: it arrives last and stands further down. */
export const isLoggedLater = (event: { occurred_at: string; recorded_at: string }) => lag(event) > 5 * 60_000;
