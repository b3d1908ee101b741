/** What this browser stores about its reader. Where storage is forbidden, the defaults serve. */

export interface Preferences {
  fold: boolean;
  singleKeys: boolean;
}

type Where = 'localStorage' | 'sessionStorage';

function read<T>(name: string, otherwise: T, where: Where = 'localStorage'): T {
  try {
    return (JSON.parse(globalThis[where].getItem(name) ?? 'null') as T | null) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Store a value for the whole browser, or for this tab alone. */
export function keep(name: string, value: unknown, where: Where = 'localStorage'): void {
  try {
    globalThis[where].setItem(name, JSON.stringify(value));
  } catch {
    // forbidden or full
  }
}

export function forget(name: string, where: Where = 'localStorage'): void {
  try {
    globalThis[where].removeItem(name);
  } catch {
    // forbidden
  }
}

/** The values whose names begin like this, by name. */
export function kept<T extends object>(prefix: string, where: Where = 'localStorage'): Map<string, T> {
  const names = namesIn(where).filter((name) => name.startsWith(prefix));
  const values = names.map((name) => [name, read<T | null>(name, null, where)] as const);
  return new Map(values.filter((one): one is readonly [string, T] => one[1] !== null));
}

function namesIn(where: Where): string[] {
  try {
    return Object.keys(globalThis[where]);
  } catch {
    return [];
  }
}

export const preferences = (): Preferences => ({
  fold: true,
  singleKeys: true,
  ...read('activity preferences', {}),
});

export function setPreferences(change: Partial<Preferences>): Preferences {
  const all = { ...preferences(), ...change };
  keep('activity preferences', all);
  return all;
}

/** The number of the newest event when its reader last left this feed; 0 before the first time. */
export const seenBefore = (owner: string, scope: string): number =>
  read(`activity seen ${owner} ${encodeURIComponent(scope)}`, 0);
export const setSeen = (owner: string, scope: string, seq: number): void =>
  keep(`activity seen ${owner} ${encodeURIComponent(scope)}`, seq);

export interface Appearance {
  theme: 'auto' | 'light' | 'dark';
  locale: string;
}

export const appearance = (): Appearance => ({ theme: 'auto', locale: '', ...read('activity look', {}) });

export function setAppearance(change: Partial<Appearance>): Appearance {
  const all = { ...appearance(), ...change };
  keep('activity look', all);
  return all;
}
