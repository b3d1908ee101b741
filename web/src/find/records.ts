import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Client } from '../api/client.js';
import { records } from '../api/finding.js';
import type { ListedRecord, RecordKind } from '../api/wire.js';
import { exactTime } from '../text/time.js';
import type { Found } from './found.js';

const TYPING = 150; // ms after the last key before the list is read

/** A list of accounts, people or deals, by name or by how long nobody has touched them. */
@customElement('activity-records')
export class ActivityRecords extends LitElement {
  @property({ attribute: false }) client!: Client;
  @property({ attribute: false }) view!: Found;
  @property() kind: RecordKind = 'accounts';
  /** Whose records can be asked for by one click. */
  @property() actor = '';
  @state() private rows: readonly ListedRecord[] = [];
  @state() private cursor: string | null = null;
  @state() private problem = '';
  @state() private asked = new URLSearchParams(location.search);
  #reading = new AbortController();
  #typing: ReturnType<typeof setTimeout> | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('kind') || changed.has('client')) void this.#read();
  }

  async #read(cursor?: string): Promise<void> {
    this.#reading.abort();
    const reading = (this.#reading = new AbortController());
    const query = new URLSearchParams(cursor ? { cursor } : {});
    for (const name of ['name', 'sort', 'owner']) {
      const value = this.asked.get(name);
      if (value && !(name === 'sort' && this.kind === 'opportunities')) query.set(name, value);
    }
    try {
      const page = await records(this.client, this.kind, query, reading.signal);
      this.rows = cursor ? [...this.rows, ...page.data] : page.data;
      this.cursor = page.next_cursor;
      this.problem = '';
    } catch (error) {
      if (!reading.signal.aborted) this.problem = (error as Error).message;
    }
  }

  /** Ask for something else, and keep it in the page's address. */
  #ask(name: string, value: string, wait = 0): void {
    this.asked = new URLSearchParams(this.asked);
    if (value) this.asked.set(name, value);
    else this.asked.delete(name);
    history.replaceState(null, '', `?${this.asked}`);
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#read(), wait);
  }

  protected override render(): TemplateResult {
    const { words } = this.view;
    const text = (event: Event) => (event.target as HTMLInputElement).value;
    return html`<h1>${words.lists[this.kind]}</h1>
      <form class="asked" @submit=${(event: Event) => event.preventDefault()}>
        <label
          >${words.name}<input
            type="search"
            dir="auto"
            autocomplete="off"
            maxlength="200"
            .value=${this.asked.get('name') ?? ''}
            @input=${(event: Event) => this.#ask('name', text(event).trim(), TYPING)}
        /></label>
        ${this.kind === 'opportunities' ? nothing : this.#sort()} ${this.actor ? this.#mine() : nothing}
      </form>
      ${this.problem ? html`<p role="alert">${this.problem}</p>` : nothing}
      <p class="sr" role="status">${words.records(this.rows.length, !!this.cursor)}</p>
      ${this.rows.length ? this.#table() : html`<p>${words.nothingFound}</p>`}
      ${
        this.cursor
          ? html`<button @click=${() => void this.#read(this.cursor!)}>${words.loadMore}</button>`
          : nothing
      }`;
  }

  #sort(): TemplateResult {
    const chosen = this.asked.get('sort') ?? 'name';
    return html`<label
      >${this.view.words.order}<select
        @change=${(event: Event) => this.#ask('sort', (event.target as HTMLSelectElement).value)}
      >
        ${Object.entries(this.view.words.orders).map(
          ([key, label]) => html`<option value=${key} ?selected=${key === chosen}>${label}</option>`,
        )}
      </select></label
    >`;
  }

  #mine(): TemplateResult {
    return html`<label class="check"
      ><input
        type="checkbox"
        .checked=${this.asked.get('owner') === this.actor}
        @change=${(event: Event) =>
          this.#ask('owner', (event.target as HTMLInputElement).checked ? this.actor : '')}
      />${this.view.words.mine}</label
    >`;
  }

  #table(): TemplateResult {
    const { words } = this.view;
    return html`<div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">${words.name}</th>
            <th scope="col">${words.owner}</th>
            <th scope="col">${this.kind === 'opportunities' ? words.stage : words.lastTouch}</th>
          </tr>
        </thead>
        <tbody>
          ${this.rows.map((row) => this.#row(row))}
        </tbody>
      </table>
    </div>`;
  }

  #row({ record, touched_at }: ListedRecord): TemplateResult {
    const scope = { accounts: 'account', contacts: 'contact', opportunities: 'record' }[this.kind];
    const id = this.kind === 'opportunities' ? `opportunity:${record.id}` : record.id;
    return html`<tr>
      <th scope="row">
        <a href=${this.view.href([[scope, id]])}><bdi>${record.name || record.id}</bdi></a>
      </th>
      <td><bdi>${record.owner_email ?? ''}</bdi></td>
      <td>${this.kind === 'opportunities' ? record.stage : this.#touched(touched_at)}</td>
    </tr>`;
  }

  #touched(at: string | null | undefined): TemplateResult | string {
    const { words, zone, dates } = this.view;
    if (!at) return words.never;
    const days = Math.max(0, Math.floor((Date.now() - Date.parse(at)) / 86_400_000));
    return html`<time datetime=${at} title=${exactTime(at, zone, dates)}>${words.daysAgo(days)}</time>`;
  }
}
