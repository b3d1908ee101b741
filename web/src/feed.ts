import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { Arrivals } from './arrivals.js';
import { Client, type TokenSource } from './client.js';
import { compose, type Composing } from './compose.js';
import type { Context } from './context.js';
import { Drafts } from './drafts.js';
import { readFilters, writeFilters, type Filters } from './filters.js';
import { fold, type Row } from './fold.js';
import { icon, sprite } from './icons.js';
import { FeedKeys } from './feed-keys.js';
import { eventUrl, firstEvent } from './links.js';
import { draftRows, list } from './list.js';
import { FeedModel } from './model.js';
import './panel.js';
import { parsePosition } from './position.js';
import { preferences, seenBefore, setPreferences, setSeen } from './remembered.js';
import type { StreamStatus } from './stream.js';
import { styles } from './styles.js';
import { knownZone } from './time.js';
import { chips, filterForm, keyHelp, liveStatus, settingsForm, tabs, tools, type Opened, type Preferences } from './toolbar.js';
import { dateLocale, knownLocale, wordsFor, type Tab } from './words.js';

const CONFIGURES = ['src', 'locale', 'token', 'account', 'contact'] as const;
const WIDE = 1100; // px of the element from which the panel stands beside the feed

/** The live timeline of a workspace, an account or a contact. */
@customElement('activity-feed')
export class ActivityFeed extends LitElement {
  static override styles = styles;

  /** The address of the API, such as https://activity.example.com/v1. */
  @property() src = 'v1';
  @property() account = '';
  @property() contact = '';
  /** The tab that is open first. */
  @property() tab: Tab = 'all';
  /** The language: en or de; else the browser's. */
  @property() locale = '';
  /** The time zone by its IANA name; else the browser's. */
  @property() tz = '';
  /** Where records are looked at: https://crm.example.com/{type}s/{id}. */
  @property({ attribute: 'record-url' }) recordUrl = '';
  /** The page that shows the whole feed, which links lead to. */
  @property() page = '';
  @property() heading = '';
  /** Whether the filters and the open event are kept in the page's address. */
  @property({ type: Boolean }) address = false;
  /** Whether notes and calls cannot be written here. */
  @property({ type: Boolean, attribute: 'read-only' }) readOnly = false;
  /** A bearer token, or a function that gives one: for pages of another site. */
  @property({ attribute: false }) token: TokenSource;
  /** The CSRF token of a cookie session. */
  @property({ attribute: false }) csrf: string | null = null;

  @state() openId: string | undefined;
  @state() current: string | undefined;
  @state() status: StreamStatus = 'connecting';
  @state() private expanded: ReadonlySet<string> = new Set();
  @state() private opened: Opened | undefined;
  @state() private composing: Composing | undefined;
  @state() private preferences: Preferences = preferences();
  @state() private now = Date.now();
  @state() private isWide = false;
  @state() private toast = '';
  @state() private announced = '';
  model!: FeedModel;
  rows: readonly Row[] = [];
  #client!: Client;
  #arrivals: Arrivals | undefined;
  #drafts: Drafts | undefined;
  #keys = new FeedKeys(this);
  #clock: ReturnType<typeof setInterval> | undefined;
  #lastSeen = 0;
  #folded: unknown[] = [];
  readonly #sizes = new ResizeObserver(([entry]) => (this.isWide = entry!.contentRect.width >= WIDE));
  readonly #ends = new IntersectionObserver((all) => all.some((one) => one.isIntersecting) && void this.model.more(), { rootMargin: '600px' });

  get context(): Context {
    const locale = knownLocale(this.locale);
    return {
      words: wordsFor(locale),
      locale,
      dates: dateLocale(locale),
      zone: knownZone(this.tz),
      now: this.now,
      filters: this.model.filters,
      level: this.address ? 2 : 3,
      recordTemplate: this.recordUrl || undefined,
      eventHref: (event) => eventUrl(this.#page, writeFilters(this.model.filters), event.event_id),
      scopeHref: (kind, id) => `${this.#page}?${new URLSearchParams({ [kind]: id })}`,
      open: (id, how) => this.open(id, how),
      close: () => this.close(),
      filter: (change) => this.go({ ...this.model.filters, ...change }),
      copy: (text) => void this.copy(text),
    };
  }

  get list(): HTMLElement | null {
    return this.renderRoot.querySelector('.feed');
  }

  get #page(): string {
    return this.address ? location.pathname : this.page || new URL('..', new URL(`${this.src}/`, location.href)).pathname;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#sizes.observe(this);
    this.#clock = setInterval(() => document.hidden || (this.now = Date.now()), 30_000);
    addEventListener('popstate', this.#readAddress);
    addEventListener('pagehide', this.#leave);
    (this.address ? document : this).addEventListener('keydown', this.#onKey as EventListener);
    if (this.hasUpdated) void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sizes.disconnect();
    this.#ends.disconnect();
    clearInterval(this.#clock);
    removeEventListener('popstate', this.#readAddress);
    removeEventListener('pagehide', this.#leave);
    (this.address ? document : this).removeEventListener('keydown', this.#onKey as EventListener);
    this.#leave();
    this.#end();
  }

  readonly #onKey = (event: KeyboardEvent) => this.#keys.handle(event, this.preferences.singleKeys);
  readonly #leave = () => setSeen(this.#scope, Math.max(this.#lastSeen, parsePosition(this.model.position)?.seq ?? 0, ...this.model.events.slice(0, 50).map((event) => event.seq)));

  get #scope(): string {
    return `${this.src} ${this.account} ${this.contact}`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('csrf') && this.#client) this.#client.csrf = this.csrf;
    if (CONFIGURES.some((name) => changed.has(name))) void this.#begin();
    else if (changed.has('tab') && !this.address) void this.go({ ...this.model.filters, tab: this.tab });
    this.#fold();
  }

  protected override updated(): void {
    this.#ends.disconnect();
    const more = this.renderRoot.querySelector('.more');
    if (more) this.#ends.observe(more);
    const help = this.renderRoot.querySelector<HTMLDialogElement>('dialog.help');
    if (help && !help.open) help.showModal();
  }

  async #begin(): Promise<void> {
    this.#end();
    const changed = () => this.requestUpdate();
    const client = (this.#client = new Client(this.src.replace(/\/$/, ''), this.token, knownLocale(this.locale)));
    client.csrf = this.csrf;
    this.model = new FeedModel(client, changed);
    this.#arrivals = new Arrivals(this, client);
    this.#drafts = new Drafts(client, `activity drafts ${this.src}`, changed, (id) => this.#written(id));
    this.#lastSeen = seenBefore(this.#scope);
    const { filters, open } = this.#asked();
    this.openId = open;
    await this.#load(filters, open);
    if (client !== this.#client) return;
    await this.#arrivals.start(this.model.position);
  }

  #end(): void {
    this.#arrivals?.close();
    this.#drafts?.close();
  }

  async #load(filters: Filters, around?: string): Promise<void> {
    await this.model.load(filters, around);
    if (this.model.phase === 'signed-out') this.dispatchEvent(new CustomEvent('activity-signed-out', { bubbles: true, composed: true }));
    if (around && this.model.phase === 'ready') await this.#keys.reveal(around);
  }

  async reload(): Promise<void> {
    await this.#load(this.model.filters);
    this.say(this.context.words.reloaded);
  }

  /** What the page's address and the attributes ask for. */
  #asked(): { filters: Filters; open: string | undefined } {
    const query = new URLSearchParams(this.address ? location.search : { tab: this.tab });
    const about = { ...(this.account && { account: this.account }), ...(this.contact && { contact: this.contact }) };
    return { filters: { ...readFilters(query), ...about }, open: query.get('event') ?? undefined };
  }

  readonly #readAddress = () => {
    if (!this.address) return;
    const { filters, open } = this.#asked();
    if (String(writeFilters(filters)) !== String(writeFilters(this.model.filters))) void this.#load(filters, open);
    if (this.openId && !open) void this.#keys.focusRow(this.openId);
    this.openId = open;
  };

  /** Tell those who listen, not too often. */
  announce(): void {
    const n = this.model.pending.length;
    if (!n || this.announced) return;
    this.announced = this.context.words.newEvents(n);
    setTimeout(() => (this.announced = ''), 10_000);
  }

  async #written(id: string): Promise<void> {
    const { event } = await this.#client.detail(id);
    await this.#arrivals?.keepingPlace(() => this.model.insertOwn(event));
  }

  #fold(): void {
    const { events } = this.model;
    const depends = [events, this.expanded, this.preferences.fold, this.context.zone];
    if (depends.every((one, n) => one === this.#folded[n])) return;
    this.#folded = depends;
    const open = ({ event, repeats }: Row) => [event, ...repeats].map((one) => ({ event: one, repeats: [] }));
    this.rows = fold(events, this.context.zone, this.preferences.fold).flatMap((row) => (this.expanded.has(row.event.event_id) ? open(row) : [row]));
    if (!this.rows.some((row) => row.event.event_id === this.current)) this.current = this.rows[0]?.event.event_id;
  }

  /** Show other events; in the page's own address too. */
  async go(filters: Filters): Promise<void> {
    if (this.address) history.pushState(null, '', `${location.pathname}?${writeFilters(filters)}`);
    this.openId = undefined;
    await this.#load(filters);
  }

  open(id: string, how: 'push' | 'replace' = this.openId ? 'replace' : 'push'): void {
    if (this.address) history[`${how}State`]('opened', '', eventUrl(location.pathname, writeFilters(this.model.filters), id));
    this.openId = id;
    if (this.model.events.some((event) => event.event_id === id)) this.current = id;
    this.dispatchEvent(new CustomEvent('activity-open', { bubbles: true, composed: true, detail: { event_id: id } }));
  }

  close(): void {
    const id = this.openId;
    if (!id) return;
    if (this.address && history.state === 'opened') history.back();
    else if (this.address) history.replaceState(null, '', `${location.pathname}?${writeFilters(this.model.filters)}`);
    this.openId = undefined;
    void this.#keys.focusRow(id);
  }

  async showNew(): Promise<void> {
    if (!this.model.pending.length) return;
    const first = this.model.pending[0]!.event_id;
    await this.model.showPending();
    await this.updateComplete;
    this.list?.scrollIntoView({ block: 'start', behavior: 'instant' });
    await this.#keys.focusRow(first);
  }

  write(kind: Composing): void {
    if (this.readOnly) return;
    this.composing = kind;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('.compose input, .compose textarea')?.focus());
  }

  /** Close what is open for writing or choosing; whether anything was. */
  closeForms(): boolean {
    const wasOpen = !!this.opened || !!this.composing;
    this.opened = this.composing = undefined;
    return wasOpen;
  }

  show(what: Opened | undefined): void {
    this.opened = what;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('.popover input')?.focus());
  }

  async copy(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.say(this.context.words.copied);
  }

  say(text: string): void {
    this.toast = text;
    setTimeout(() => (this.toast = ''), 4_000);
  }

  protected override render(): TemplateResult {
    const { context, model } = this;
    const known = model.events.find((event) => event.event_id === this.openId);
    return html`${sprite}
      <div class="layout ${this.openId && this.isWide ? 'with-panel' : ''}">
        <div class="column">${this.#head(context)} ${this.#shown(context)}</div>
        ${this.openId
          ? html`<activity-panel .client=${this.#client} .context=${context} .eventId=${this.openId} .known=${known} ?modal=${!this.isWide} .step=${(by: number) => this.#keys.step(by)}></activity-panel>`
          : nothing}
      </div>
      ${this.opened === 'help' ? keyHelp(() => this.show(undefined), context) : nothing}
      <p class="toast" role="status">${this.toast}</p>
      <p class="sr" role="status">${this.announced}</p>`;
  }

  #head(context: Context): TemplateResult {
    const { words } = context;
    const forms = {
      filter: () => filterForm(this.model, () => this.show(undefined), context),
      settings: () => settingsForm(this.preferences, (change) => (this.preferences = setPreferences(change)), context),
    };
    const canWrite = !this.readOnly && this.model.phase !== 'forbidden' && this.model.phase !== 'signed-out';
    const heading = this.heading || words.activity;
    return html`<slot name="above"></slot>
      <header class="head">
        ${this.address ? html`<h1 id="heading">${heading}</h1>` : html`<h2 id="heading">${heading}</h2>`}
        ${liveStatus(this.status, context)}
        <span class="space"></span>
        ${canWrite ? html`<button @click=${() => this.write('note')}>${words.addNote}</button><button @click=${() => this.write('call')}>${words.logCall}</button><button @click=${() => this.write('comment')}>${words.addComment}</button>` : nothing}
      </header>
      ${this.status === 'offline' ? html`<p class="banner">${icon('wifi-off')}${words.offlineBanner}</p>` : nothing}
      ${this.composing ? compose(this.composing, (account, body) => this.#save(account, body), () => (this.composing = undefined), context) : nothing}
      <div class="bar">
        ${tabs(this.model, context)}
        ${tools(this.opened, (what) => this.show(what), forms, context)}
      </div>
      ${chips(context)}`;
  }

  #save(account: string, body: Parameters<Drafts['add']>[2]): void {
    const contact = this.model.filters.contact;
    this.#drafts?.add(this.composing ?? 'note', account, { ...body, ...(contact && { contact_id: contact }) });
  }

  #shown(context: Context): TemplateResult {
    const waiting = this.model.pending.length;
    const drafts = (this.#drafts?.all ?? []).filter((draft) => !context.filters.account || draft.account === context.filters.account);
    return html`<div id="shown" role="tabpanel" aria-labelledby="tab-${context.filters.tab}" @click=${this.#keys.onClick} @focusin=${this.#keys.onFocus}>
      <div class="pill-place">
        ${waiting ? html`<button class="pill" @click=${() => this.showNew()}>${icon('arrow-up')}${context.words.newEvents(waiting)}</button>` : nothing}
      </div>
      ${list(
        this.model,
        drafts.length ? draftRows(drafts, (key) => void this.#drafts?.send(key), (key) => this.#drafts?.discard(key), context) : nothing,
        {
          rows: this.rows,
          current: this.current,
          open: this.openId,
          expanded: this.expanded,
          lastSeen: this.#lastSeen,
          curl: firstEvent(this.src, this.account),
          toggle: (id) => (this.expanded = this.expanded.has(id) ? new Set([...this.expanded].filter((one) => one !== id)) : new Set([...this.expanded, id])),
          retry: () => void this.#load(this.model.filters),
          more: () => void this.model.more(),
          addNote: this.readOnly ? undefined : () => this.write('note'),
        },
        context,
      )}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'activity-feed': ActivityFeed;
  }
}
