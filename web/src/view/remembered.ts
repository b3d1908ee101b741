/** What this browser stores about its reader. Where storage is forbidden, the defaults serve. */

export interface Preferences {
  fold: boolean;
  singleKeys: boolean;
}

function read<T>(name: string, otherwise: T): T {
  try {
    return (JSON.parse(localStorage.getItem(name) ?? 'null') as T | null) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // forbidden or full
  }
}

export const preferences = (): Preferences => ({
  fold: true,
  singleKeys: true,
  ...read('activity preferences', {}),
});

export function setPreferences(change: Partial<Preferences>): Preferences {
  const all = { ...preferences(), ...change };
  write('activity preferences', all);
  return all;
}

/** The number of the newest event when this feed was last left; 0 before the first time. */
export const seenBefore = (scope: string): number => read(`activity seen ${scope}`, 0);
export const setSeen = (scope: string, seq: number): void => write(`activity seen ${scope}`, seq);

export interface Appearance {
  theme: 'auto' | 'light' | 'dark';
  locale: string;
}

export const appearance = (): Appearance => ({ theme: 'auto', locale: '', ...read('activity look', {}) });

export function setAppearance(change: Partial<Appearance>): Appearance {
  const all = { ...appearance(), ...change };
  write('activity look', all);
  return all;
}
