import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { ApiError, type Client } from '../api/client.js';
import type { Context } from '../view/context.js';
import { icon } from '../view/icons.js';
import { accountLabel, contactLabel, actorLabel, recordUrl } from '../view/links.js';
import { fateInFull, text, told } from '../view/fate.js';
import { badge } from '../view/row.js';
import { duration, exactTime, lag } from '../text/time.js';
import './amend.js';
import type { Correct } from './amend.js';
import { changes, tree } from './tree.js';
import type { EventDetail, FeedEvent } from '../api/wire.js';
const COPIED = new Set(['id', 'hash']); // facts with a button that copies them

const fateOf = (event: FeedEvent | undefined) =>
  [event?.corrected, event?.retracted, event?.classified].map((change) => change?.event_id).join();

/** One event in full, beside the feed where there is room, over it where there is none. */
@customElement('activity-panel')
export class ActivityPanel extends LitElement {
  @property({ attribute: false }) client!: Client;
  @property({ attribute: false }) context!: Context;
  @property({ attribute: false }) eventId = '';
  /** The event as the feed shows it, drawn until the whole of it is read. */
  @property({ attribute: false }) known: FeedEvent | undefined;
  /** Changes when something was erased, which may be shown here. */
  @property({ type: Number }) forgotten = 0;
  @property({ type: Boolean }) modal = false;
  /** Absent where nothing may be written. */
  @property({ attribute: false }) correct: Correct | undefined;
  @property({ attribute: false }) step: (by: number) => void = () => undefined;
  @state() private detail: EventDetail | undefined;
  @state() private error: ApiError | undefined;
  #loading: AbortController | undefined;

  protected override createRenderRoot(): this {
    return this; // within the feed's shadow root: its styles and its icons serve here too
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('known');
    const isOther = before?.event_id === this.eventId && fateOf(before) !== fateOf(this.known);
    if (changed.has('eventId') || changed.has('forgotten') || isOther) void this.#load();
  }

  protected override updated(changed: PropertyValues<this>): void {
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
    if (changed.has('eventId') && !this.contains((this.getRootNode() as ShadowRoot).activeElement))
      this.focusTitle();
  }

  focusTitle(): void {
    this.querySelector<HTMLElement>('h2')?.focus({ preventScroll: true });
  }

  readonly #load = async (): Promise<void> => {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.detail = this.error = undefined;
    try {
      const detail = await this.client.detail(this.eventId, loading.signal);
      if (!loading.signal.aborted) this.detail = detail;
    } catch (error) {
      if (loading.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.error = error;
    }
  };

  protected override render(): TemplateResult {
    const { words, close } = this.context;
    if (!this.modal)
      return html`<section class="panel" aria-label=${words.details}>${this.#inside()}</section>`;
    return html`<dialog class="panel" aria-label=${words.details} @close=${close}>${this.#inside()}</dialog>`;
  }

  #inside(): TemplateResult {
    const { words, close, copy, eventHref } = this.context;
    const event = this.detail?.event ?? this.known;
    const address = event ? new URL(eventHref(event), location.href).href : '';
    return html`
      <header>
        ${this.#button('arrow-up', words.previous, () => this.step(-1))}
        ${this.#button('arrow-up', words.next, () => this.step(1), 'down')}
        <span class="space"></span>
        ${event ? this.#button('link', words.copyLink, () => copy(address)) : nothing}
        ${this.#button('x', words.close, close)}
      </header>
      ${event ? this.#title(event) : html`<h2 tabindex="-1">${words.details}</h2>`} ${this.#content()}
    `;
  }

  #content(): TemplateResult {
    if (this.error) return this.#failure(this.error);
    if (this.detail) return this.#body(this.detail);
    return html`<p class="faint" aria-busy="true">${this.context.words.loading}</p>`;
  }

  #button(name: string, label: string, act: () => void, more = ''): TemplateResult {
    return html`<button class="bare ${more}" aria-label=${label} title=${label} @click=${act}>
      ${icon(name)}
    </button>`;
  }

  #title(event: FeedEvent): TemplateResult {
    return html`<div class="panel-title">
      ${badge(event)}
      <div>
        <p class="faint">${event.title}</p>
        <h2 tabindex="-1"><bdi class="actor">${actorLabel(event)}</bdi> ${told(event)}</h2>
      </div>
    </div>`;
  }

  #failure(error: ApiError): TemplateResult {
    const { words } = this.context;
    const title =
      { 403: words.forbidden, 404: words.notFound, 410: words.gone }[error.status] ?? words.failed;
    const retry = html`<button class="primary" @click=${this.#load}>${words.retry}</button>`;
    return html`<div class="state" role="alert">
      ${icon(error.status === 403 ? 'lock' : 'circle-alert')}
      <p class="state-title">${title}</p>
      <p>${error.message}</p>
      ${error.isTransient ? retry : nothing}
      ${error.request ? html`<p class="faint">${words.request} <code>${error.request}</code></p>` : nothing}
    </div>`;
  }

  #body({ event, hash, causes, effects, corrections }: EventDetail): TemplateResult {
    const { words } = this.context;
    return html`
      ${fateInFull(event, this.context)} ${text(event)} ${this.#amend(event)} ${this.#about(event)}
      ${this.#times(event)} ${this.#changes(event)} ${this.#chain(words.corrections, corrections)}
      ${this.#chain(words.causes, causes)} ${this.#chain(words.effects, effects)} ${this.#payload(event)}
      ${this.#envelope(event, hash)}
    `;
  }

  #amend(event: FeedEvent): TemplateResult | typeof nothing {
    if (!this.correct) return nothing;
    return html`<activity-amend
      .event=${event}
      .words=${this.context.words}
      .correct=${this.correct}
    ></activity-amend>`;
  }

  #about(event: FeedEvent): TemplateResult {
    const { words, scopeHref } = this.context;
    const { account_id, contact_id } = event;
    return html`<dl class="facts">
      <dt>${words.actor}</dt>
      <dd><bdi>${event.actor}</bdi></dd>
      ${
        account_id
          ? html`<dt>${words.account}</dt>
              <dd>
                <a href=${scopeHref('account', account_id)}><bdi>${accountLabel(event)}</bdi></a>
                ${this.#deep('account', account_id)}
              </dd>`
          : nothing
      }
      ${
        contact_id
          ? html`<dt>${words.contact}</dt>
              <dd>
                <a href=${scopeHref('contact', contact_id)}><bdi>${contactLabel(event)}</bdi></a>
                ${this.#deep('contact', contact_id)}
              </dd>`
          : nothing
      }
      ${
        event.record_id
          ? html`<dt>${words.record}</dt>
              <dd>
                ${event.record_type}
                <a href=${this.context.scopeHref('record', `${event.record_type}:${event.record_id}`)}
                  ><code>${event.record_id}</code></a
                >
                ${this.#deep(event.record_type, event.record_id)}
              </dd>`
          : nothing
      }
    </dl>`;
  }

  #deep(type: string | null, id: string): TemplateResult | typeof nothing {
    const url = recordUrl(this.context.recordTemplate, type, id);
    if (!url) return nothing;
    return html`<a class="deep" href=${url} target="_blank" rel="noopener noreferrer"
      >${this.context.words.openRecord}${icon('external-link')}</a
    >`;
  }

  #times(event: FeedEvent): TemplateResult {
    const { words } = this.context;
    return html`<dl class="facts times-table">
      ${this.#moment(words.occurred, event.occurred_at)} ${this.#moment(words.recorded, event.recorded_at)}
      <dt>${words.lag}</dt>
      <dd>${duration(lag(event))}</dd>
    </dl>`;
  }

  #moment(label: string, iso: string): TemplateResult {
    const { words, zone, dates, copy } = this.context;
    return html`<dt>${label}</dt>
      <dd>
        <time datetime=${iso}>${exactTime(iso, zone, dates)}</time>
        ${this.#button('copy', `${words.copy}: ${label}`, () => copy(iso))}
        <small>${exactTime(iso, 'UTC', dates)}</small>
      </dd>`;
  }

  #changes(event: FeedEvent): TemplateResult | typeof nothing {
    const { words } = this.context;
    const found = changes(event.payload);
    if (!found.length) return nothing;
    const cell = (value: unknown) => (value === null || value === undefined ? '–' : tree(value));
    return html`<h3>${words.changes}</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">${words.field}</th>
            <th scope="col">${words.before}</th>
            <th scope="col">${words.after}</th>
          </tr>
        </thead>
        <tbody>
          ${found.map(
            (one) =>
              html`<tr>
                <th scope="row">${one.field}</th>
                <td>${cell(one.from)}</td>
                <td>${cell(one.to)}</td>
              </tr>`,
          )}
        </tbody>
      </table>`;
  }

  #chain(label: string, events: readonly FeedEvent[]): TemplateResult | typeof nothing {
    if (!events.length) return nothing;
    const { zone, dates, eventHref, open } = this.context;
    const show = (click: MouseEvent, id: string) => (click.preventDefault(), open(id, 'push'));
    return html`<h3>${label}</h3>
      <ul class="chain">
        ${events.map(
          (event) =>
            html`<li>
              ${badge(event)}
              <div>
                <a href=${eventHref(event)} @click=${(click: MouseEvent) => show(click, event.event_id)}
                  ><bdi>${actorLabel(event)}</bdi> <bdi>${event.summary}</bdi></a
                >
                <small>${exactTime(event.occurred_at, zone, dates)}</small>
              </div>
            </li>`,
        )}
      </ul>`;
  }

  #payload(event: FeedEvent): TemplateResult {
    const { words, copy } = this.context;
    if (event.payload === null || event.payload === undefined)
      return html`<h3>${words.payload}</h3>
        <p class="faint">${words.erased}</p>`;
    const raw = JSON.stringify(event.payload, null, 2);
    return html`<h3>
        ${words.payload} ${this.#button('copy', `${words.copy}: ${words.payload}`, () => copy(raw))}
      </h3>
      ${event.held_back ? html`<p class="faint">${words.heldBackWhy}</p>` : nothing} ${tree(event.payload)}
      <details>
        <summary>${words.rawJson}</summary>
        <pre tabindex="0">${raw}</pre>
      </details>`;
  }

  #envelope(event: FeedEvent, hash: string | null): TemplateResult {
    const facts = {
      id: event.event_id,
      seq: event.seq,
      type: `${event.type} v${event.version}`,
      source: event.source,
      hash,
      cause: event.cause_id,
    };
    return html`<dl class="facts envelope">
      ${Object.entries(facts).map(([name, value]) => (value ? this.#fact(name, String(value)) : nothing))}
    </dl>`;
  }

  #fact(name: string, value: string): TemplateResult {
    const { words, copy } = this.context;
    const button = this.#button('copy', `${words.copy}: ${name}`, () => copy(value));
    return html`<dt>${name}</dt>
      <dd><code dir="auto">${value}</code>${COPIED.has(name) ? button : nothing}</dd>`;
  }
}
