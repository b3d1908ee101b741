import { writeFilters, type Filters } from './filters.js';
import { emptied, erasedBy, ERASURES } from './erasure.js';
import { ownerOf } from './owner.js';
import { wordsFor, type Locale } from '../text/locale.js';
import type {
  Account,
  Contact,
  EventDetail,
  EventPage,
  FeedEvent,
  Names,
  Problem,
  Receipt,
  Session,
  TypeStyle,
  WireCounts,
  WireDetail,
  WireEvent,
  WirePage,
} from './wire.js';

/** The number at which the server stops counting events beneath an account. */
const COUNTED_BENEATH = 1000;

/** The bearer token of a request, or a function that returns it; without one the page's cookie is used. */
export type TokenSource = string | (() => string | Promise<string>) | undefined;

/** A request that failed: its status, or 0 where no answer came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly request?: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Whoever is calling now is not the one that a write belongs to; nothing was written. */
export class NotTheOwner extends ApiError {
  constructor() {
    super(401, 'Another person is signed in.');
  }
}

/** A random UUID; unlike crypto.randomUUID it also exists without https. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** What is right of an earlier event, as fields of its payload; or that it never happened. */
export interface Correction {
  correct?: object;
  retracted?: boolean;
  reason?: string;
}

/** What a person can write to an account. */
export type Writing = 'note' | 'call' | 'comment';

export interface NoteDraft {
  text: string;
  title?: string;
  contact_id?: string;
}

export interface CommentDraft {
  text: string;
  contact_id?: string;
}

export interface CallDraft {
  direction?: string;
  contact_id?: string;
  contact_name?: string;
  duration_s?: number;
  outcome?: string;
  note?: string;
  occurred_at?: string;
}

interface Options {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  token?: string | undefined;
}

const authorized = (token: string | undefined) =>
  new Headers(token ? { Authorization: `Bearer ${token}` } : {});

const id = encodeURIComponent;

/** The API, typed. `base` is the address of /v1. */
export class Client {
  csrf: string | null = null;
  readonly #names = { accounts: new Map<string, string>(), contacts: new Map<string, string>() };
  readonly #erasures: ((event: WireEvent) => boolean)[] = [];
  #types: Promise<Map<string, TypeStyle>> | undefined;
  #styles = new Map<string, TypeStyle>();

  constructor(
    readonly base: string,
    public token: TokenSource = undefined,
    public locale: Locale = 'en',
  ) {}

  async list(
    filters: Filters,
    more: { cursor?: string; around?: string } = {},
    signal?: AbortSignal,
  ): Promise<EventPage> {
    const query = writeFilters(filters);
    for (const [name, value] of Object.entries({ ...more, include: 'names', locale: this.locale }))
      query.set(name, value);
    const [page] = await Promise.all([
      this.#json<WirePage<WireEvent>>('GET', `events?${query}`, { signal }),
      this.#catalogue(),
    ]);
    this.learn(page.names);
    return { ...page, data: page.data.map((event) => this.decorate(event)) };
  }

  /** Know the names of accounts and contacts from now on. */
  learn(names: Names | null | undefined): void {
    for (const kind of ['accounts', 'contacts'] as const) {
      for (const [key, name] of Object.entries(names?.[kind] ?? {})) this.#names[kind].set(key, name);
    }
  }

  /** How many events each tab holds, as it is shown: 12, or 12+ where counting stopped. */
  async counts(filters: Filters): Promise<Record<string, string | number>> {
    const query = writeFilters({ ...filters, tab: 'all' });
    const { counts, total, complete, bounded, beneath } = await this.#json<WireCounts>(
      'GET',
      `events/counts?${query}`,
    );
    const mayHaveMore = (tab: string) => (tab === 'all' ? !complete : bounded.includes(tab));
    // The Hierarchy tab is a scope: it counts the events beneath the account, not those of its category.
    const { hierarchy: _, ...categories } = counts;
    const tabs = Object.entries({
      email: 0,
      signals: 0,
      notes: 0,
      comments: 0,
      ...categories,
      all: total,
    }).map(([tab, n]) => [tab, mayHaveMore(tab) ? `${n}+` : n] as const);
    const beneathShown = beneath !== null && beneath >= COUNTED_BENEATH ? `${beneath}+` : beneath;
    return { ...Object.fromEntries(tabs), ...(beneathShown !== null && { hierarchy: beneathShown }) };
  }

  async detail(eventId: string, signal?: AbortSignal): Promise<EventDetail> {
    const [answer] = await Promise.all([
      this.#json<WireDetail<WireEvent>>('GET', `events/${id(eventId)}?locale=${this.locale}`, { signal }),
      this.#catalogue(),
    ]);
    const all = (events: WireEvent[]) => events.map((event) => this.decorate(event));
    return {
      ...answer,
      event: this.decorate(answer.event),
      causes: all(answer.causes),
      effects: all(answer.effects),
      corrections: all(answer.corrections),
    };
  }

  /** Add the style of its type and the known names of its account and contact to an event. */
  decorate(event: WireEvent): FeedEvent {
    const style = this.#styles.get(event.type) ?? {
      title: event.type,
      icon: 'activity',
      tone: 'grey',
      foldable: false,
      by_contact: false,
    };
    const shown = {
      ...event,
      ...style,
      account_name: this.#names.accounts.get(event.account_id ?? ''),
      contact_name: this.#names.contacts.get(event.contact_id ?? ''),
    };
    return this.#erasures.some((erases) => erases(event)) ? emptied(shown, this.locale) : shown;
  }

  /** Forget what these events, erasures among them, say is gone; return whether there was any. */
  forget(events: readonly WireEvent[]): boolean {
    const erasures = events.filter((event) => ERASURES.includes(event.type));
    for (const { contact_id } of erasures) this.#names.contacts.delete(contact_id ?? '');
    this.#erasures.push(...erasures.filter((event) => event.type !== 'contact.erased').map(erasedBy));
    return erasures.length > 0;
  }

  /** The latest erasures, for a page that may have missed some. */
  async erasures(): Promise<readonly FeedEvent[]> {
    return (await this.list({ tab: 'all', type: [...ERASURES] })).data;
  }

  /** Write to an account as this owner; every retry with the same key is the same write. Throws ApiError. */
  write(kind: Writing, account: string, body: unknown, key: string, owner: string): Promise<Receipt> {
    return this.#writeAs(owner, `accounts/${id(account)}/${kind}s`, body, key);
  }

  /** Correct or withdraw an event as this owner. Throws ApiError. */
  correct(eventId: string, correction: Correction, key: string, owner: string): Promise<Receipt> {
    return this.#writeAs(owner, `events/${id(eventId)}/corrections`, correction, key);
  }

  /** Write as this owner, and as nobody else: the page's session or its token may by now be another's. */
  async #writeAs(owner: string, path: string, body: unknown, key: string): Promise<Receipt> {
    const token = await this.#token();
    const session = this.#adopt(await this.#json<Session>('GET', 'session', { token }));
    if (ownerOf(this.base, session) !== owner) throw new NotTheOwner();
    const headers = { 'Idempotency-Key': `"${key}"`, Prefer: 'wait=2' };
    return this.#json('POST', path, { body, headers, token });
  }

  async account(account: string): Promise<Account> {
    const { record, ...about } = await this.#json<{ record: Account }>('GET', `accounts/${id(account)}`);
    return this.#named('accounts', { ...record, ...about });
  }

  async contact(contact: string): Promise<Contact> {
    return this.#named(
      'contacts',
      (await this.#json<{ record: Contact }>('GET', `contacts/${id(contact)}`)).record,
    );
  }

  /** Read a path of the API, and know how the catalogue draws the events in the answer. */
  async read<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await Promise.all([this.#json<T>('GET', path, { signal }), this.#catalogue()]))[0];
  }

  session(): Promise<Session> {
    return this.#json<Session>('GET', 'session').then((session) => this.#adopt(session));
  }

  signIn(key: string): Promise<Session> {
    return this.#json<Session>('POST', 'session', { body: { key } }).then((session) => this.#adopt(session));
  }

  signOut(): Promise<unknown> {
    return this.#json('DELETE', 'session');
  }

  /** Open the live stream of the whole workspace after a position. The caller reads the body. */
  async stream(after: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers = authorized(await this.#token());
    headers.set('Accept', 'text/event-stream');
    if (after) headers.set('Last-Event-ID', after);
    return fetch(`${this.base}/stream?locale=${this.locale}`, {
      headers,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
    });
  }

  #adopt(session: Session): Session {
    this.csrf = session.csrf;
    return session;
  }

  #named<R extends { id: string; name?: string | null }>(kind: 'accounts' | 'contacts', record: R): R {
    if (record.name) this.#names[kind].set(record.id, record.name);
    return record;
  }

  #catalogue(): Promise<unknown> {
    this.#types ??= this.#json<{ data: (TypeStyle & { name: string })[] }>(
      'GET',
      `types?locale=${this.locale}`,
    ).then(
      ({ data }) =>
        (this.#styles = new Map(
          data.map(({ name, title, icon, tone, foldable, by_contact }) => [
            name,
            { title, icon, tone, foldable, by_contact },
          ]),
        )),
    );
    return this.#types.catch((error: unknown) => {
      this.#types = undefined; // requested again with the next page
      throw error;
    });
  }

  async #token(): Promise<string | undefined> {
    return typeof this.token === 'function' ? this.token() : this.token;
  }

  async #json<T>(method: string, path: string, options: Options = {}): Promise<T> {
    const { body, headers = {}, signal } = options;
    const all = authorized('token' in options ? options.token : await this.#token());
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    if (body !== undefined) all.set('Content-Type', 'application/json');
    if (this.csrf && method !== 'GET') all.set('X-CSRF-Token', this.csrf);
    const init: RequestInit = { method, headers: all, signal: signal ?? null, credentials: 'same-origin' };
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await fetch(`${this.base}/${path}`, init).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw new ApiError(0, wordsFor(this.locale).unreachable);
    });
    if (!response.ok) throw await problem(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

/** The error that an answer describes. */
export async function problem(response: Response): Promise<ApiError> {
  const answer = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const message = answer.detail || answer.title || `${response.status} ${response.statusText}`;
  return new ApiError(
    response.status,
    message,
    answer.instance,
    Number(response.headers.get('Retry-After')) || undefined,
  );
}
