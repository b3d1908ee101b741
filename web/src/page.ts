import { html, LitElement, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { ApiError, Client } from './client.js';
import './feed.js';
import { look, setLook, type Look } from './remembered.js';
import { knownZone } from './time.js';
import type { Account, Contact, RecordLink, Session } from './wire.js';
import { knownLocale, wordsFor } from './words.js';

const SESSIONS = 'activity session'; // the channel on which a tab tells the others that somebody else signed in

/** The page of its own: who is signed in, whose timeline it is, and the feed. */
@customElement('activity-page')
export class ActivityPage extends LitElement {
  @state() private session: Session | null | undefined;
  @state() private error = '';
  @state() private look: Look = look();
  @state() private about: Account | Contact | undefined;
  readonly #client = new Client(new URL('v1', document.baseURI).pathname);
  readonly #sessions = 'BroadcastChannel' in globalThis ? new BroadcastChannel(SESSIONS) : undefined;
  readonly #query = new URLSearchParams(location.search);
  readonly #account = this.#query.get('account') ?? '';
  readonly #contact = this.#query.get('contact') ?? '';

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#sessions?.addEventListener('message', () => location.reload());
    this.addEventListener('activity-signed-out', () => (this.session = null));
    void this.#start(() => this.#client.session());
  }

  protected override willUpdate(): void {
    const locale = knownLocale(this.look.locale);
    document.documentElement.dataset.theme = this.look.theme;
    document.documentElement.lang = locale;
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

  async #readAbout(): Promise<void> {
    const record = this.#account ? this.#client.account(this.#account) : this.#contact ? this.#client.contact(this.#contact) : undefined;
    this.about = await record?.catch(() => undefined); // events may be about what has no record here
  }

  readonly #signIn = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get('key') ?? '').trim();
    await this.#start(() => this.#client.signIn(key));
    if (this.session) this.#sessions?.postMessage('changed');
  };

  readonly #signOut = async () => {
    await this.#client.signOut();
    this.#sessions?.postMessage('changed');
    location.reload();
  };

  protected override render(): TemplateResult {
    const words = wordsFor(knownLocale(this.look.locale));
    return html`
      <header class="site">
        <a class="brand" href=${location.pathname}><img src="./icon.svg" alt="" />${words.activity}</a>
        <span class="space"></span>
        ${this.#choice(words.theme, 'theme', words.themes)} ${this.#choice(words.language, 'locale', { en: 'English', de: 'Deutsch' }, knownLocale(this.look.locale))}
        ${this.session ? html`<span class="who">${this.session.actor}</span><button @click=${this.#signOut}>${words.signOut}</button>` : nothing}
      </header>
      <main>${this.session ? this.#feed(this.session) : this.session === null ? this.#form() : nothing}</main>
      <footer>${words.times} ${knownZone(this.#query.get('tz'))}</footer>
    `;
  }

  #choice(label: string, name: keyof Look, options: Record<string, string>, value: string = this.look[name]): TemplateResult {
    const choose = (event: Event) => (this.look = setLook({ [name]: (event.target as HTMLSelectElement).value }));
    return html`<label
      ><span class="label">${label}</span>
      <select aria-label=${label} @change=${choose}>
        ${Object.entries(options).map(([key, text]) => html`<option value=${key} ?selected=${key === value}>${text}</option>`)}
      </select></label
    >`;
  }

  #feed(session: Session): TemplateResult {
    const words = wordsFor(knownLocale(this.look.locale));
    const scope = this.#account || this.#contact;
    return html`<activity-feed
      address
      .src=${this.#client.base}
      .account=${this.#account}
      .contact=${this.#contact}
      .heading=${scope && (this.about?.name ?? scope)}
      .locale=${this.look.locale}
      .tz=${this.#query.get('tz') ?? ''}
      .csrf=${session.csrf}
      .recordUrl=${session.record_url ?? ''}
      ?read-only=${!session.scopes.includes('write')}
    >
      ${scope ? html`<nav slot="above" aria-label=${words.account}>${this.#around(words.backToAll)}</nav>` : nothing}
    </activity-feed>`;
  }

  /** Where to go from an account or a contact: the whole feed, the parent, the children, the company. */
  #around(whole: string): unknown {
    const link = ({ id, name }: RecordLink) => html` · <a href="?${new URLSearchParams({ account: id })}">${name || id}</a>`;
    const { parent, children = [], account_id: company } = { parent: null, account_id: null, ...this.about } as Account & Contact;
    return html`<a href=${location.pathname}>${whole}</a>${parent ? html`${link(parent)} ›` : nothing}${children.slice(0, 12).map(link)}${company ? link({ id: company }) : nothing}`;
  }

  #form(): TemplateResult {
    const words = wordsFor(knownLocale(this.look.locale));
    return html`<form class="sign-in" @submit=${this.#signIn}>
      <h1>${words.signIn}</h1>
      <p>${words.signInHint}</p>
      <label>${words.key}<input name="key" type="password" required autocomplete="off" maxlength="8192" /></label>
      ${this.error ? html`<p role="alert">${this.error}</p>` : nothing}
      <button class="primary">${words.signIn}</button>
    </form>`;
  }
}
