import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { FeedAttributes } from './attributes.js';
import { NearEnd, Surroundings } from './surroundings.js';
import { Visit } from './visit.js';
import { Writing } from './writing.js';
import { Arrivals } from './arrivals.js';
import { Client, type Writing as Kind } from '../api/client.js';
import type { Context } from '../view/context.js';
import { writeFilters, type Filters } from '../api/filters.js';
import { clearOpened, pushFilters, readTarget, writeOpened, type Target } from './address.js';
import { Rows, toggled, type Row } from '../timeline/fold.js';
import { sprite } from '../view/icons.js';
import { focusOn, focusOpener } from './focus.js';
import { Navigation } from './navigation.js';
import { firstEvent, pageUrl } from '../view/links.js';
import { chips, filterForm } from '../view/filter-bar.js';
import { head, pill } from '../view/head.js';
import { list, type ListState } from '../view/list.js';
import { FeedModel } from '../timeline/model.js';
import '../panel/panel.js';
import { preferences, setPreferences, type Preferences } from '../view/remembered.js';
import type { StreamStatus } from '../stream/stream.js';
import { styles } from '../styles/styles.js';
import { knownZone } from '../text/time.js';
import { keyHelp, settingsForm, tabs, tools, type Opened } from '../view/toolbar.js';
import { dateLocale, knownLocale, wordsFor } from '../text/locale.js';

const CONFIGURES = ['src', 'locale', 'token', 'account', 'contact', 'record'] as const;

/** The live timeline of a workspace, an account or a contact. */
@customElement('activity-feed')
export class ActivityFeed extends FeedAttributes {
  static override styles = styles;

  @state() openId: string | undefined;
  @state() current: string | undefined;
  @state() status: StreamStatus = 'connecting';
  @state() private expanded: ReadonlySet<string> = new Set();
  @state() private opened: Opened | undefined;
  @state() private preferences: Preferences = preferences();
  @state() private toast = '';
  @state() private announced = '';
  model!: FeedModel;
  rows: readonly Row[] = [];
  readonly #rows = new Rows();
  #client!: Client;
  #arrivals: Arrivals | undefined;
  #writing: Writing | undefined;
  #visit: Visit | undefined;
  #keys = new Navigation(this);
  readonly #around = new Surroundings(this);

  constructor() {
    super();
    new NearEnd(this, () => void this.model.more());
  }

  get context(): Context {
    const locale = knownLocale(this.locale);
    return {
      words: wordsFor(locale),
      locale,
      dates: dateLocale(locale),
      zone: knownZone(this.tz),
      now: this.#around.now,
      filters: this.model.filters,
      level: this.address ? 2 : 3,
      recordTemplate: this.recordUrl || undefined,
      allHref: pageUrl(this.#page, this.tz),
      eventHref: ({ event_id }) =>
        pageUrl(this.#page, this.tz, [...writeFilters(this.model.filters), ['event', event_id]]),
      scopeHref: (kind, id) => pageUrl(this.#page, this.tz, [[kind, id]]),
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
    return this.address
      ? location.pathname
      : this.page || new URL('..', new URL(`${this.src}/`, location.href)).pathname;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('popstate', this.#readAddress);
    addEventListener('pagehide', this.#leave);
    (this.address ? document : this).addEventListener('keydown', this.#onKey as EventListener);
    if (this.hasUpdated) void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('popstate', this.#readAddress);
    removeEventListener('pagehide', this.#leave);
    (this.address ? document : this).removeEventListener('keydown', this.#onKey as EventListener);
    this.#leave();
    this.#end();
  }

  readonly #onKey = (event: KeyboardEvent) => this.#keys.handle(event, this.preferences.singleKeys);
  readonly #leave = () => this.#visit?.leave(this.model.newestSeq);

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('csrf') && this.#client) this.#client.csrf = this.csrf;
    if (CONFIGURES.some((name) => changed.has(name))) void this.#begin();
    else if (changed.has('tab') && !this.address) void this.go({ ...this.model.filters, tab: this.tab });
    this.#fold();
  }

  protected override updated(): void {
    this.renderRoot.querySelector<HTMLDialogElement>('dialog.help:not([open])')?.showModal();
  }

  async #begin(): Promise<void> {
    this.#end();
    const base = this.src.replace(/\/$/, '');
    const client = (this.#client = new Client(base, this.token, knownLocale(this.locale)));
    client.csrf = this.csrf;
    this.model = new FeedModel(client, () => (this.requestUpdate(), this.#dispatch('activity-changed')));
    const arrivals = (this.#arrivals = new Arrivals(this, client));
    const { filters, open } = this.#target();
    this.openId = open;
    const known = client.session().catch((error: unknown) => error as Error);
    const [session] = await Promise.all([known, this.#load(filters, open)]);
    if (arrivals !== this.#arrivals) return;
    if (session instanceof Error) return this.model.failed(session);
    const visit = (this.#visit = new Visit(
      base,
      session,
      [this.account, this.contact, this.record].join(' ').trimEnd(),
      this.model.newestSeq,
    ));
    this.#writing = new Writing(this, client, visit, {
      written: (id) => this.#written(id),
      signedOut: () => (this.#dispatch('activity-signed-out'), void this.#begin()),
    });
    arrivals.start(this.model.position, visit.caller);
    this.requestUpdate();
  }

  #end(): void {
    this.#arrivals?.close();
    this.#writing?.end();
    this.#arrivals = this.#writing = this.#visit = undefined;
  }

  async #load(filters: Filters, around?: string): Promise<void> {
    await this.model.load(filters, around);
    if (this.model.phase === 'signed-out') this.#dispatch('activity-signed-out');
    if (around && this.model.phase === 'ready') await this.#keys.reveal(around);
  }

  #dispatch(name: string, detail?: object): void {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail }));
  }

  async reload(): Promise<void> {
    await this.#load(this.model.filters);
    this.notify(this.context.words.reloaded);
  }

  /** What the page's address and the attributes name. */
  #target(): Target {
    const query = new URLSearchParams(this.address ? location.search : { tab: this.tab });
    return readTarget(query, this);
  }

  readonly #readAddress = () => {
    if (!this.address) return;
    const { filters, open } = this.#target();
    if (String(writeFilters(filters)) !== String(writeFilters(this.model.filters)))
      void this.#load(filters, open);
    if (this.openId && !open) void this.#keys.focusRow(this.openId);
    this.openId = open;
  };

  /** Announce the pending events to screen readers, at most every ten seconds. */
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
    this.rows = this.#rows.of(this.model.events, this.expanded, this.preferences.fold, this.context.zone);
    if (!this.rows.some((row) => row.event.event_id === this.current))
      this.current = this.rows[0]?.event.event_id;
  }

  /** Show the events that pass other filters. */
  async go(filters: Filters): Promise<void> {
    if (this.address) pushFilters(filters, this.tz);
    this.openId = undefined;
    await this.#load(filters);
  }

  open(id: string, how: 'push' | 'replace' = this.openId ? 'replace' : 'push'): void {
    if (this.address) writeOpened(id, this.model.filters, this.tz, how);
    this.openId = id;
    if (this.model.events.some((event) => event.event_id === id)) this.current = id;
    this.#dispatch('activity-open', { event_id: id });
  }

  close(): void {
    const id = this.openId;
    if (!id) return;
    if (this.address) clearOpened(this.model.filters, this.tz);
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

  readonly write = (kind: Kind): void => {
    if (this.#canWrite) this.#writing?.open(kind);
  };

  /** Close the open forms; return whether any was open. */
  closeForms(): boolean {
    const opened = this.opened;
    this.show(undefined);
    return this.#writing?.close() || !!opened;
  }

  show(what: Opened | undefined): void {
    const before = this.opened;
    this.opened = what;
    if (what) void focusOn(this, '.popover input');
    else if (before) void focusOpener(this, before);
  }

  async copy(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.notify(this.context.words.copied);
  }

  notify(text: string): void {
    this.toast = text;
    setTimeout(() => (this.toast = ''), 4_000);
  }

  protected override render(): TemplateResult {
    const { context, model } = this;
    const known = model.events.find((event) => event.event_id === this.openId);
    const beside = this.openId && this.#around.isWide ? 'with-panel' : '';
    return html`${sprite}
      <div class="layout ${beside}" dir="ltr" lang=${context.locale}>
        <div class="column">${this.#head(context)} ${this.#shown(context)}</div>
        ${
          this.openId
            ? html`<activity-panel
                .client=${this.#client}
                .context=${context}
                .eventId=${this.openId}
                .known=${known}
                .forgotten=${model.forgotten}
                .correct=${this.#canWrite ? this.#writing?.correct : undefined}
                ?modal=${!beside}
                .step=${(by: number) => this.#keys.step(by)}
              ></activity-panel>`
            : nothing
        }
      </div>
      ${this.opened === 'help' ? keyHelp(() => this.show(undefined), context) : nothing}
      <p class="toast" role="status">${this.toast}</p>
      <p class="sr" role="status">${this.announced}</p>`;
  }

  #head(context: Context): TemplateResult {
    const heading = this.heading || context.words.activity;
    const forms = {
      filter: () => filterForm(this.model, () => this.show(undefined), context),
      settings: () => settingsForm(this.preferences, this.#prefer, context),
    };
    return html`<slot name="above"></slot>
      ${head(heading, this.status, this.#canWrite ? this.write : undefined, context)}
      ${this.#canWrite ? this.#writing?.form(context) : nothing}
      <div class="bar">
        ${tabs(this.model, context)} ${tools(this.opened, (what) => this.show(what), forms, context)}
      </div>
      ${chips(context)}`;
  }

  get #canWrite(): boolean {
    return (
      !this.readOnly &&
      !!this.#writing &&
      this.model.phase !== 'forbidden' &&
      this.model.phase !== 'signed-out'
    );
  }

  readonly #prefer = (change: Partial<Preferences>) => (this.preferences = setPreferences(change));

  #shown(context: Context): TemplateResult {
    const drafts = this.#writing?.rows(context) ?? nothing;
    return html`<div
      id="shown"
      role="tabpanel"
      aria-labelledby="tab-${context.filters.tab}"
      @click=${this.#keys.onClick}
      @focusin=${this.#keys.onFocus}
    >
      <div class="pill-place">${pill(this.model.pending.length, () => this.showNew(), context)}</div>
      ${list(this.model, drafts, this.#listState, context)}
    </div>`;
  }

  get #listState(): ListState {
    return {
      rows: this.rows,
      current: this.current,
      open: this.openId,
      expanded: this.expanded,
      isUnseen: ({ seq }) => !!this.#visit?.isUnseen(seq),
      curl: firstEvent(this.src, this.account),
      toggle: (id) => (this.expanded = toggled(this.expanded, id)),
      retry: () => void (this.#visit ? this.#load(this.model.filters) : this.#begin()),
      more: () => void this.model.more(),
      addNote: this.readOnly ? undefined : () => this.write('note'),
    };
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'activity-feed': ActivityFeed;
  }
}
