/** The page's own words. Summaries come from the server in the language asked for. */
export interface Words {
  activity: string;
  tabs: Record<Tab, string>;
  today: string;
  yesterday: string;
  now: string;
  live: string;
  connecting: string;
  reconnecting: string;
  offline: string;
  stopped: string;
  addNote: string;
  logCall: string;
  addComment: string;
  newEvents: (n: number) => string;
  loggedLater: string;
  recordedAfter: (lag: string) => string;
  repeats: (n: number) => string;
  hideRepeats: string;
  empty: string;
  emptyHint: string;
  nothingMatches: (tab: string) => string;
  lookedBack: (day: string) => string;
  clear: string;
  retry: string;
  request: string;
  failed: string;
  forbidden: string;
  forbiddenHint: string;
  gone: string;
  notFound: string;
  offlineBanner: string;
  beginning: (day: string) => string;
  loadMore: string;
  loading: string;
  reloaded: string;
  saving: string;
  notSaved: string;
  savedLater: string;
  filters: string;
  type: string;
  actor: string;
  source: string;
  from: string;
  until: string;
  apply: string;
  remove: (what: string) => string;
  settings: string;
  foldRepeats: string;
  singleKeys: string;
  language: string;
  theme: string;
  themes: Record<'auto' | 'light' | 'dark', string>;
  keys: string;
  keyHelp: [string, string][];
  details: string;
  close: string;
  copy: string;
  copied: string;
  copyLink: string;
  payload: string;
  changes: string;
  before: string;
  after: string;
  field: string;
  occurred: string;
  recorded: string;
  lag: string;
  utc: string;
  account: string;
  contact: string;
  record: string;
  openRecord: string;
  causes: string;
  effects: string;
  corrections: string;
  rawJson: string;
  erased: string;
  previous: string;
  next: string;
  note: string;
  comment: string;
  title: string;
  optional: string;
  save: string;
  cancel: string;
  with: string;
  minutes: string;
  outcome: string;
  direction: string;
  outbound: string;
  inbound: string;
  happened: string;
  onAccount: string;
  signIn: string;
  signInHint: string;
  key: string;
  signOut: string;
  signedOut: string;
  sinceLastVisit: string;
  backToAll: string;
  times: string;
}

export const TABS = ['all', 'email', 'signals', 'notes', 'comments', 'hierarchy'] as const;
export type Tab = (typeof TABS)[number];

const english: Words = {
  activity: 'Activity',
  tabs: { all: 'All', email: 'Email', signals: 'Signals', notes: 'Notes', comments: 'Comments', hierarchy: 'Hierarchy' },
  today: 'Today',
  yesterday: 'Yesterday',
  now: 'now',
  live: 'Live',
  connecting: 'Connecting…',
  reconnecting: 'Reconnecting…',
  offline: 'Offline: showing what was loaded',
  stopped: 'Not live',
  addNote: 'Add note',
  logCall: 'Log call',
  addComment: 'Comment',
  newEvents: (n) => (n === 1 ? '1 new event' : `${n} new events`),
  loggedLater: 'logged later',
  recordedAfter: (lag) => `Recorded ${lag} after it happened`,
  repeats: (n) => `Show all ${n} times`,
  hideRepeats: 'Show as one row',
  empty: 'No activity yet',
  emptyHint: 'What happens from now on appears here by itself. Send a first event:',
  nothingMatches: (tab) => `No events match${tab ? ` in ${tab}` : ''}`,
  lookedBack: (day) => `Looked back to ${day}.`,
  clear: 'Clear filters',
  retry: 'Try again',
  request: 'Request',
  failed: 'The events could not be loaded',
  forbidden: 'You may not see this',
  forbiddenHint: 'Your account has no access to this part of the workspace. Ask an administrator for it.',
  gone: 'The content of this event was erased',
  notFound: 'There is no such event',
  offlineBanner: 'You are offline. What was loaded stays readable; what you write is kept and sent when you are back.',
  beginning: (day) => `Beginning of history, ${day}`,
  loadMore: 'Load older events',
  loading: 'Loading…',
  reloaded: 'Feed reloaded',
  saving: 'saving…',
  notSaved: 'not saved',
  savedLater: 'will be sent when you are back',
  filters: 'Filter',
  type: 'Type',
  actor: 'Actor',
  source: 'Source',
  from: 'From',
  until: 'Until',
  apply: 'Apply',
  remove: (what) => `Remove the filter ${what}`,
  settings: 'Settings',
  foldRepeats: 'Show repeated opens as one row',
  singleKeys: 'Single-key shortcuts',
  language: 'Language',
  theme: 'Colours',
  themes: { auto: 'As the system', light: 'Light', dark: 'Dark' },
  keys: 'Keyboard',
  keyHelp: [
    ['j / k, ↓ / ↑', 'next, previous event'],
    ['Enter, o', 'open the details'],
    ['Esc', 'close, back to the row'],
    ['[ ]', 'previous, next event in the panel'],
    ['Page Up / Down', 'from event to event'],
    ['Ctrl + Home / End', 'out of the feed'],
    ['.', 'show new events'],
    ['1 – 6', 'tabs'],
    ['/', 'filter'],
    ['n', 'add a note'],
    ['c', 'copy the link of the event'],
    ['u', 'back to the whole feed'],
    ['?', 'this list'],
  ],
  details: 'Event details',
  close: 'Close',
  copy: 'Copy',
  copied: 'Copied',
  copyLink: 'Copy link',
  payload: 'Payload',
  changes: 'Changes',
  before: 'Before',
  after: 'After',
  field: 'Field',
  occurred: 'Happened',
  recorded: 'Recorded',
  lag: 'Lag',
  utc: 'UTC',
  account: 'Account',
  contact: 'Contact',
  record: 'Record',
  openRecord: 'Open',
  causes: 'Because of',
  effects: 'Led to',
  corrections: 'Corrected by',
  rawJson: 'Raw JSON',
  erased: 'The content was erased; that it happened is kept.',
  previous: 'Previous event',
  next: 'Next event',
  note: 'Note',
  comment: 'Comment',
  title: 'Title',
  optional: 'optional',
  save: 'Save',
  cancel: 'Cancel',
  with: 'With',
  minutes: 'Minutes',
  outcome: 'Outcome',
  direction: 'Direction',
  outbound: 'Outgoing',
  inbound: 'Incoming',
  happened: 'When',
  onAccount: 'Account id',
  signIn: 'Sign in',
  signInHint: 'With an API key of this workspace. It is exchanged for a session cookie and kept nowhere in the page.',
  key: 'API key',
  signOut: 'Sign out',
  signedOut: 'Your session has ended. Sign in again.',
  sinceLastVisit: 'New since your last visit',
  backToAll: 'Whole feed',
  times: 'Times in',
};

const german: Words = {
  ...english,
  activity: 'Aktivität',
  tabs: { all: 'Alle', email: 'E-Mail', signals: 'Signale', notes: 'Notizen', comments: 'Kommentare', hierarchy: 'Hierarchie' },
  today: 'Heute',
  yesterday: 'Gestern',
  now: 'jetzt',
  live: 'Live',
  connecting: 'Verbinden …',
  reconnecting: 'Neu verbinden …',
  offline: 'Offline: bereits Geladenes',
  stopped: 'Nicht live',
  addNote: 'Notiz',
  logCall: 'Anruf',
  addComment: 'Kommentar',
  newEvents: (n) => (n === 1 ? '1 neues Ereignis' : `${n} neue Ereignisse`),
  loggedLater: 'nachgetragen',
  recordedAfter: (lag) => `${lag} nach dem Geschehen erfasst`,
  repeats: (n) => `Alle ${n} Male zeigen`,
  hideRepeats: 'Als eine Zeile zeigen',
  empty: 'Noch keine Aktivität',
  emptyHint: 'Was ab jetzt geschieht, erscheint hier von selbst. Ein erstes Ereignis senden:',
  nothingMatches: (tab) => `Keine passenden Ereignisse${tab ? ` in ${tab}` : ''}`,
  lookedBack: (day) => `Gesucht bis ${day}.`,
  clear: 'Filter entfernen',
  retry: 'Erneut versuchen',
  request: 'Anfrage',
  failed: 'Die Ereignisse konnten nicht geladen werden',
  forbidden: 'Kein Zugriff',
  forbiddenHint: 'Ihr Konto darf diesen Teil des Arbeitsbereichs nicht sehen. Bitte fragen Sie die Verwaltung.',
  gone: 'Der Inhalt dieses Ereignisses wurde gelöscht',
  notFound: 'Dieses Ereignis gibt es nicht',
  offlineBanner: 'Sie sind offline. Geladenes bleibt lesbar; was Sie schreiben, wird aufgehoben und später gesendet.',
  beginning: (day) => `Anfang der Aufzeichnung, ${day}`,
  loadMore: 'Ältere laden',
  loading: 'Laden …',
  reloaded: 'Neu geladen',
  saving: 'wird gespeichert …',
  notSaved: 'nicht gespeichert',
  savedLater: 'wird später gesendet',
  type: 'Typ',
  actor: 'Person',
  source: 'Quelle',
  from: 'Von',
  until: 'Bis',
  apply: 'Anwenden',
  remove: (what) => `Filter ${what} entfernen`,
  settings: 'Einstellungen',
  foldRepeats: 'Wiederholtes Öffnen als eine Zeile',
  singleKeys: 'Einzeltasten',
  language: 'Sprache',
  theme: 'Farben',
  themes: { auto: 'Wie das System', light: 'Hell', dark: 'Dunkel' },
  keys: 'Tastatur',
  keyHelp: [
    ['j / k, ↓ / ↑', 'nächstes, voriges Ereignis'],
    ['Enter, o', 'Einzelheiten öffnen'],
    ['Esc', 'schließen, zurück zur Zeile'],
    ['[ ]', 'voriges, nächstes im Seitenfeld'],
    ['Bild auf / ab', 'von Ereignis zu Ereignis'],
    ['Strg + Pos1 / Ende', 'aus der Liste heraus'],
    ['.', 'neue Ereignisse zeigen'],
    ['1 – 6', 'Reiter'],
    ['/', 'filtern'],
    ['n', 'Notiz schreiben'],
    ['c', 'Link des Ereignisses kopieren'],
    ['u', 'zur ganzen Liste'],
    ['?', 'diese Übersicht'],
  ],
  details: 'Einzelheiten',
  close: 'Schließen',
  copy: 'Kopieren',
  copied: 'Kopiert',
  copyLink: 'Link kopieren',
  payload: 'Inhalt',
  changes: 'Änderungen',
  before: 'Vorher',
  after: 'Nachher',
  field: 'Feld',
  occurred: 'Geschehen',
  recorded: 'Erfasst',
  lag: 'Verzug',
  account: 'Firma',
  contact: 'Kontakt',
  record: 'Datensatz',
  openRecord: 'Öffnen',
  causes: 'Wegen',
  effects: 'Führte zu',
  corrections: 'Berichtigt durch',
  rawJson: 'JSON im Original',
  erased: 'Der Inhalt wurde gelöscht; dass es geschah, bleibt.',
  previous: 'Voriges Ereignis',
  next: 'Nächstes Ereignis',
  note: 'Notiz',
  comment: 'Kommentar',
  title: 'Titel',
  save: 'Speichern',
  cancel: 'Abbrechen',
  with: 'Mit',
  minutes: 'Minuten',
  outcome: 'Ergebnis',
  direction: 'Richtung',
  outbound: 'Ausgehend',
  inbound: 'Eingehend',
  happened: 'Wann',
  onAccount: 'Kennung der Firma',
  signIn: 'Anmelden',
  signInHint: 'Mit einem API-Schlüssel dieses Arbeitsbereichs. Er wird gegen ein Sitzungs-Cookie getauscht und nirgends auf der Seite aufgehoben.',
  key: 'API-Schlüssel',
  signOut: 'Abmelden',
  signedOut: 'Ihre Sitzung ist beendet. Bitte neu anmelden.',
  sinceLastVisit: 'Neu seit Ihrem letzten Besuch',
  backToAll: 'Ganze Liste',
  times: 'Zeiten in',
};

export type Locale = 'en' | 'de';
export const wordsFor = (locale: Locale): Words => (locale === 'de' ? german : english);
/** How dates are written. */
export const dateLocale = (locale: Locale): string => (locale === 'de' ? 'de-DE' : 'en-GB');
/** The language asked for, else the browser's, else English. */
export function knownLocale(asked: string | null | undefined): Locale {
  return (asked || navigator.language).toLowerCase().startsWith('de') ? 'de' : 'en';
}
