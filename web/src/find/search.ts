import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Client } from '../api/client.js';
import { search } from '../api/finding.js';
import type { ExcerptPart, SearchHit } from '../api/wire.js';
import { exactTime } from '../text/time.js';
import { accountLabel, actorLabel, contactLabel } from '../view/links.js';
import type { Found } from './found.js';

const FIRST = 50; // hits that are shown at first
const MOST = 100; // hits that are shown at all: more are found by more words
const OFTEN = 4_000; // ms between two looks: what was erased meanwhile leaves the page

/** What a search over all events found. */
@customElement('activity-search')
export class ActivitySearch extends LitElement {
  @property({ attribute: false }) client!: Client;
  @property({ attribute: false }) view!: Found;
  /** The query of the page's address: what is searched, and in which events. */
  @property() query = '';
  @state() private hits: readonly SearchHit[] | undefined;
  @state() private hasMore = false;
  @state() private instead: string | null = null;
  @state() private problem = '';
  #limit = FIRST;
  #clock: ReturnType<typeof setInterval> | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#clock = setInterval(() => document.hidden || void this.#read(), OFTEN);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#clock);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('query') || changed.has('client')) void this.#read();
  }

  async #read(): Promise<void> {
    const query = new URLSearchParams(this.query);
    query.delete('tz');
    query.set('limit', String(this.#limit));
    try {
      const page = await search(this.client, query);
      this.hits = page.data;
      this.hasMore = !!page.next_cursor;
      this.instead = page.instead;
      this.problem = '';
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  readonly #more = () => {
    this.#limit = MOST;
    void this.#read();
  };

  protected override render(): TemplateResult {
    const { words } = this.view;
    const asked = new URLSearchParams(this.query).get('q') ?? '';
    const number = this.hits?.length ?? 0;
    return html`<h1>${words.found(asked)}</h1>
      ${this.problem ? html`<p role="alert">${this.problem}</p>` : nothing}
      <p role="status">${this.hits ? words.hits(number, this.hasMore) : words.loading}</p>
      ${this.instead ? html`<p>${words.instead(this.instead)}</p>` : nothing}
      <ol class="hits">
        ${this.hits?.map((hit) => this.#hit(hit))}
      </ol>
      ${
        this.hasMore && this.#limit < MOST
          ? html`<button @click=${this.#more}>${words.loadMore}</button>`
          : nothing
      }`;
  }

  #hit({ event, excerpt }: SearchHit): TemplateResult {
    const scope: [string, string][] = event.account_id
      ? [['account', event.account_id]]
      : event.contact_id
        ? [['contact', event.contact_id]]
        : [];
    const whose = accountLabel(event) || contactLabel(event);
    return html`<li>
      <a href=${this.view.href([...scope, ['event', event.event_id]])}
        ><bdi>${actorLabel(event)}</bdi> <bdi>${event.summary}</bdi></a
      >
      <small
        >${whose ? html`<bdi>${whose}</bdi> · ` : nothing}${exactTime(
          event.occurred_at,
          this.view.zone,
          this.view.dates,
        )}</small
      >
      ${excerpt.length ? html`<blockquote dir="auto">${excerpt.map(marked)}</blockquote>` : nothing}
    </li>`;
  }
}

const marked = (part: ExcerptPart) => ('m' in part ? html`<mark>${part.m}</mark>` : part.t);
