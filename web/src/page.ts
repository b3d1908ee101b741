import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { ApiError, Client } from './api/client.js';
import './feed/feed.js';
import './find/records.js';
import './find/search.js';
import './find/touch.js';
import type { Found } from './find/found.js';
import { ownerOf } from './api/owner.js';
import { draftsOf, forgetDrafts } from './write/drafts.js';
import { appearance, setAppearance, type Appearance } from './view/remembered.js';
import { pageUrl } from './view/links.js';
import { knownZone } from './text/time.js';
import type { Account, Contact, RecordKind, RecordLink, Session } from './api/wire.js';
import { dateLocale, knownLocale, wordsFor } from './text/locale.js';
import type { Words } from './text/words.js';

const SESSIONS = 'activity session'; // the channel on which a tab announces a change of session
const NOBODY = 'system'; // who a key without an actor calls as: no person writes under that name
const MAX_CHILDREN = 12; // linked above the feed
const LANGUAGES = { en: 'English', de: 'Deutsch' };

/** The page: who is signed in, which account or contact is shown, and its feed. */
@customElement('activity-page')
export class ActivityPage extends LitElement {
  @state() private session: Session | null | undefined;
  @state() private error = '';
  @state() private unsent = 0;
  @state() private appearance: Appearance = appearance();
  @state() private about: Account | Contact | undefined;
  readonly #client = new Client(new URL('v1', document.baseURI).pathname);
  readonly #sessions = 'BroadcastChannel' in globalThis ? new BroadcastChannel(SESSIONS) : undefined;
  readonly #query = new URLSearchParams(location.search);
  readonly #account = this.#query.get('account') ?? '';
  readonly #contact = this.#query.get('contact') ?? '';
  readonly #record = this.#query.get('record') ?? '';

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#sessions?.addEventListener('message', () => location.reload());
    this.addEventListener('activity-signed-out', () => void this.#askAgain());
    void this.#start(() => this.#client.session());
  }

  protected override willUpdate(): void {
    const locale = knownLocale(this.appearance.locale);
    document.documentElement.dataset.theme = this.appearance.theme;
    document.documentElement.lang = locale;
    this.#client.locale = locale;
    document.title = [this.about?.name, wordsFor(locale).activity].filter(Boolean).join(' · ');
  }

  async #start(session: () => Promise<Session>): Promise<void> {
    try {
      this.error = '';
      this.session = await session();
      await this.#readAbout();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 401 || this.session === null) this.error = error.message;
      this.session = this.session ?? null;
    }
  }

  /** The session is over, or is another person's. */
  async #askAgain(): Promise<void> {
    try {
      this.session = await this.#client.session();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.session = null;
    }
  }

  async #readAbout(): Promise<void> {
    const record = this.#account
      ? this.#client.account(this.#account)
      : this.#contact
        ? this.#client.contact(this.#contact)
        : undefined;
    this.about = await record?.catch(() => undefined); // an event's account or contact need not have a record
  }

  readonly #signIn = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get('key') ?? '').trim();
    await this.#start(() => this.#client.signIn(key));
    if (this.session) this.#sessions?.postMessage('changed');
  };

  /** Sign out; what is not sent yet stays for its owner, who is told so first. */
  readonly #leave = (owner: string) => {
    this.unsent = draftsOf(owner).length;
    if (!this.unsent) return void this.#signOut();
    void this.updateComplete.then(() => this.querySelector<HTMLDialogElement>('dialog.unsent')?.showModal());
  };

  readonly #signOut = async () => {
    try {
      await this.#client.signOut();
      this.#sessions?.postMessage('changed');
      location.reload();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  };

  readonly #forgetAndSignOut = (owner: string) => {
    forgetDrafts(owner);
    void this.#signOut();
  };

  protected override render(): TemplateResult {
    const words = wordsFor(knownLocale(this.appearance.locale));
    return html`
      <header class="site">
        <a class="brand" href=${this.#href()}><img src="./icon.svg" alt="" />${words.activity}</a>
        ${this.session ? this.#ways(words) : nothing}
        <span class="space"></span>
        ${this.#choice(words.theme, 'theme', words.themes)}
        ${this.#choice(words.language, 'locale', LANGUAGES, knownLocale(this.appearance.locale))}
        ${this.session ? this.#user(this.session) : nothing}
      </header>
      <main>
        ${this.session ? this.#shown(this.session) : this.session === null ? this.#form() : nothing}
      </main>
      <footer>${words.times} ${knownZone(this.#query.get('tz'))}</footer>
    `;
  }

  #user(session: Session): TemplateResult {
    const words = wordsFor(knownLocale(this.appearance.locale));
    const owner = ownerOf(this.#client.base, session);
    const name = session.actor === NOBODY ? words.namesNobody : session.actor;
    return html`<span class="who">${name}</span
      ><button @click=${() => this.#leave(owner)}>${words.signOut}</button>
      ${this.error ? html`<p role="alert">${this.error}</p>` : nothing}
      ${this.unsent ? this.#unsent(session, owner, words) : nothing}`;
  }

  #unsent(session: Session, owner: string, words: Words): TemplateResult {
    return html`<dialog class="unsent" aria-labelledby="unsent" @close=${() => (this.unsent = 0)}>
      <p id="unsent">${words.unsent(this.unsent, session.actor)}</p>
      <form method="dialog">
        <button class="primary" @click=${this.#signOut}>${words.signOut}</button>
        <button @click=${() => this.#forgetAndSignOut(owner)}>${words.forgetUnsent}</button>
        <button>${words.cancel}</button>
      </form>
    </dialog>`;
  }

  #choice(
    label: string,
    name: keyof Appearance,
    options: Record<string, string>,
    value: string = this.appearance[name],
  ): TemplateResult {
    const choose = (event: Event) =>
      (this.appearance = setAppearance({ [name]: (event.target as HTMLSelectElement).value }));
    return html`<label
      ><span class="label">${label}</span>
      <select aria-label=${label} @change=${choose}>
        ${Object.entries(options).map(([key, text]) => option(key, text, key === value))}
      </select></label
    >`;
  }

  /** The ways to what is looked for: the feed, the lists, the search. */
  #ways(words: Words): TemplateResult {
    const list = this.#query.get('list');
    const kinds = Object.entries(words.lists);
    return html`<nav aria-label=${words.activity}>
        ${kinds.map(
          ([kind, name]) =>
            html`<a href=${this.#href([['list', kind]])} aria-current=${kind === list ? 'page' : nothing}
              >${name}</a
            >`,
        )}
      </nav>
      <form role="search" class="search" action=${location.pathname}>
        ${
          this.#query.get('tz')
            ? html`<input type="hidden" dir="auto" name="tz" value=${this.#query.get('tz')!} />`
            : nothing
        }
        <input
          type="search"
          dir="auto"
          name="q"
          required
          maxlength="200"
          aria-label=${words.search}
          placeholder=${words.searchHint}
          .value=${this.#query.get('q') ?? ''}
        /><button>${words.search}</button>
      </form>`;
  }

  get #found(): Found {
    const locale = knownLocale(this.appearance.locale);
    const zone = knownZone(this.#query.get('tz'));
    return { words: wordsFor(locale), zone, dates: dateLocale(locale), href: (query) => this.#href(query) };
  }

  /** The list or the search that the address names, else the feed. */
  #shown(session: Session): TemplateResult {
    const list = this.#query.get('list');
    if (list && list in this.#found.words.lists)
      return html`<activity-records
        .client=${this.#client}
        .view=${this.#found}
        .kind=${list as RecordKind}
        .actor=${session.actor === NOBODY ? '' : session.actor}
      ></activity-records>`;
    if (this.#query.get('q'))
      return html`<activity-search
        .client=${this.#client}
        .view=${this.#found}
        .query=${String(this.#query)}
      ></activity-search>`;
    return this.#feed(session);
  }

  #feed(session: Session): TemplateResult {
    const words = wordsFor(knownLocale(this.appearance.locale));
    const scope = this.#account || this.#contact || this.#record;
    return html`<activity-feed
      address
      .src=${this.#client.base}
      .account=${this.#account}
      .contact=${this.#contact}
      .record=${this.#record}
      .heading=${scope && (this.about?.name ?? scope)}
      .locale=${this.appearance.locale}
      .tz=${this.#query.get('tz') ?? ''}
      .csrf=${session.csrf}
      .recordUrl=${session.record_url ?? ''}
      ?read-only=${!session.scopes.includes('write') || session.actor === NOBODY}
    >
      ${scope ? this.#around(words) : nothing}
    </activity-feed>`;
  }

  /** Where to go from an account or a contact: the whole feed, the parent, the children, the company. */
  #around(words: Words): TemplateResult {
    const none = { parent: null, children: [], account_id: null };
    const { parent, children, account_id } = { ...none, ...this.about } as Account & Contact;
    const links = [...(children ?? []).slice(0, MAX_CHILDREN), ...(account_id ? [{ id: account_id }] : [])];
    const touched = this.#account
      ? `accounts/${encodeURIComponent(this.#account)}`
      : this.#contact && `contacts/${encodeURIComponent(this.#contact)}`;
    return html`<nav slot="above" aria-label=${words.account}>
        <a href=${this.#href()}>${words.backToAll}</a
        >${parent ? html`${this.#link(parent)} ›` : nothing}${links.map(this.#link)}
      </nav>
      ${
        touched
          ? html`<activity-touch
              slot="above"
              .client=${this.#client}
              .view=${this.#found}
              .record=${touched}
            ></activity-touch>`
          : nothing
      }`;
  }

  readonly #link = ({ id, name }: RecordLink) =>
    html` · <a href=${this.#href([['account', id]])}>${name || id}</a>`;

  #href(query: [string, string][] = []): string {
    return pageUrl(location.pathname, this.#query.get('tz'), query);
  }

  #form(): TemplateResult {
    const words = wordsFor(knownLocale(this.appearance.locale));
    return html`<form class="sign-in" @submit=${this.#signIn}>
      <h1>${words.signIn}</h1>
      <p>${words.signInHint}</p>
      <label
        >${words.key}<input name="key" type="password" required autocomplete="off" maxlength="8192"
      /></label>
      ${this.error ? html`<p role="alert">${this.error}</p>` : nothing}
      <button class="primary">${words.signIn}</button>
    </form>`;
  }
}

const option = (value: string, text: string, isSelected: boolean) =>
  html`<option value=${value} ?selected=${isSelected}>${text}</option>`;
