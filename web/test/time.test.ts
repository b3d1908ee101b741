import { describe, expect, it } from 'vitest';
import {
  dayHeading,
  dayKey,
  duration,
  exactTime,
  instant,
  isLoggedLater,
  knownZone,
  dayBefore,
  momentOf,
  startOfDay,
  rowTime,
} from '../src/text/time.js';
import { wordsFor } from '../src/text/locale.js';

const en = wordsFor('en');

describe('what is typed in a zone', () => {
  it.each([
    ['2026-11-20T09:00', 'Asia/Tokyo', '2026-11-20T00:00:00.000Z'],
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00.000Z'], // skipped: shown as 03:30
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'], // twice: the first
    ['2026-04-05T01:45', 'Australia/Lord_Howe', '2026-04-04T14:45:00.000Z'], // half an hour, twice
    ['2011-12-30T12:00', 'Pacific/Apia', '2011-12-30T22:00:00.000Z'], // a day that was skipped
  ])('%s in %s is %s', (wall, zone, moment) => expect(momentOf(wall, zone)).toBe(moment));

  const zones = 'Europe/Berlin America/New_York Africa/Cairo Asia/Beirut Asia/Kathmandu America/Santiago UTC';
  it.each(zones.split(' '))(
    'is shown as it was typed, and days meet without a gap, all year in %s',
    (zone) => {
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 86_400_000) {
        const day = new Date(at).toISOString().slice(0, 10);
        const start = startOfDay(day, zone);
        expect(dayKey(start, zone)).toBe(day);
        expect(dayKey(Date.parse(start) - 1, zone)).toBe(new Date(at - 1).toISOString().slice(0, 10));
        expect(dayBefore(startOfDay(day, zone, 1), zone)).toBe(day);
        expect(exactTime(momentOf(`${day}T09:00`, zone), zone, 'en-GB')).toContain('09:00:00.000');
      }
    },
  );
});

describe('time words', () => {
  it('compares moments with different numbers of digits', () => {
    const moments = [
      '2026-11-22T20:14:03Z',
      '2026-11-22T20:14:03.000001Z',
      '2026-11-22T20:14:03.1Z',
      '2026-11-22T20:14:03.12Z',
      '2026-11-22T22:14:04+02:00',
    ];
    expect([...moments].reverse().sort((a, b) => instant(a) - instant(b))).toEqual(moments);
  });

  it.each([
    ['2026-11-22', 'Today'],
    ['2026-11-21', 'Yesterday'],
    ['2026-11-20', 'Friday'],
    ['2026-11-16', 'Monday'],
    ['2026-11-15', '15 November'],
    ['2025-11-23', '23 November 2025'],
    ['2026-11-23', '23 November'],
  ])('heads the day %s with %s', (day, heading) => {
    expect(dayHeading(day, '2026-11-22', 'en-GB', en)).toBe(heading);
  });

  it('puts a moment into the day of the viewer', () => {
    expect(dayKey('2026-11-22T23:30:00Z', 'Europe/Berlin')).toBe('2026-11-23');
    expect(dayKey('2026-11-22T23:30:00Z', 'America/New_York')).toBe('2026-11-22');
  });

  it.each([
    [30, 'now'],
    [-30, 'now'],
    [60, '1 min'],
    [59 * 60 + 59, '59 min'],
    [3600, '20:14'],
  ])('writes a time %d s ago as %s', (ago, text) => {
    const at = '2026-11-22T20:14:00Z';
    expect(rowTime(at, Date.parse(at) + ago * 1000, 'UTC', 'en-GB', en)).toBe(text);
  });

  it('writes a moment to the millisecond with its zone', () => {
    expect(exactTime('2026-11-22T20:14:03.120Z', 'UTC', 'en-GB')).toBe('22 Nov 2026, 20:14:03.120 UTC');
  });

  it.each([
    [0.4, '0 ms'],
    [312, '312 ms'],
    [4200, '4.2 s'],
    [59_999, '59.9 s'],
    [185_000, '3 min 5 s'],
    [7_200_000, '2 h'],
    [187_200_000, '2 d 4 h'],
    [-312, '−312 ms'],
  ])('measures %d ms as %s', (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });

  it('marks what was recorded more than five minutes after it happened', () => {
    expect(isLoggedLater({ occurred_at: '2026-11-22T20:00:00Z', recorded_at: '2026-11-22T20:05:00Z' })).toBe(
      false,
    );
    expect(
      isLoggedLater({ occurred_at: '2026-11-22T20:00:00Z', recorded_at: '2026-11-22T20:05:00.001Z' }),
    ).toBe(true);
  });

  it('falls back to the own zone of the browser when the one asked for does not exist', () => {
    expect(knownZone('Europe/Nowhere')).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);
    expect(knownZone('Asia/Tokyo')).toBe('Asia/Tokyo');
  });
});
