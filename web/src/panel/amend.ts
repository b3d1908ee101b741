import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { ApiError, newKey, type Correction } from '../api/client.js';
import type { FeedEvent } from '../api/wire.js';
import type { Words } from '../text/words.js';

/** Says of an event what is right, or that it never happened. Throws ApiError. */
export type Correct = (eventId: string, correction: Correction, key: string) => Promise<unknown>;

const LONG = 100; // characters from which a field has several lines

/** The buttons and forms that correct an event, withdraw it, or undo either; each is a new event. */
@customElement('activity-amend')
export class ActivityAmend extends LitElement {
  @property({ attribute: false }) event!: FeedEvent;
  @property({ attribute: false }) words!: Words;
  @property({ attribute: false }) correct!: Correct;
  @state() private form: 'correct' | 'withdraw' | undefined;
  @state() private error = '';
  #key = '';

  protected override createRenderRoot(): this {
    return this; // within the panel
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('event');
    if (before && before.event_id !== this.event.event_id) this.form = undefined;
  }

  /** The payload as far as it is known to be right. */
  get #right(): Record<string, unknown> {
    return { ...(this.event.payload as object), ...(this.event.corrected?.correct as object) };
  }

  /** The fields that a form can hold. */
  get #fields(): [string, string | number][] {
    const isPlain = (one: [string, unknown]): one is [string, string | number] =>
      typeof one[1] === 'string' || typeof one[1] === 'number';
    return Object.entries(this.#right).filter(isPlain);
  }

  #open(form: 'correct' | 'withdraw' | undefined): void {
    this.form = form;
    this.error = '';
    this.#key = newKey();
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('input, textarea')?.focus());
  }

  async #send(eventId: string, correction: Correction): Promise<void> {
    try {
      await this.correct(eventId, correction, this.#key || (this.#key = newKey()));
      this.#open(undefined);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  }

  readonly #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const reason = String(form.get('reason') ?? '').trim();
    const about = reason && { reason };
    if (this.form === 'withdraw') return void this.#send(this.event.event_id, { retracted: true, ...about });
    const changed = this.#fields
      .map(([name, was]) => [name, was, String(form.get(`field ${name}`) ?? was)] as const)
      .filter(([, was, now]) => String(was) !== now)
      .map(([name, was, now]) => [name, typeof was === 'number' ? Number(now) : now] as const);
    const correct = { ...(this.event.corrected?.correct as object), ...Object.fromEntries(changed) };
    return void this.#send(this.event.event_id, { correct, ...about });
  };

  protected override render(): TemplateResult {
    const { event, words, form } = this;
    const change = event.retracted ?? event.corrected;
    const undo = () => change && void this.#send(change.event_id, { retracted: true });
    return html`${this.error ? html`<p role="alert">${this.error}</p>` : nothing}
    ${
      form
        ? this.#form()
        : html`<div class="buttons">
            ${
              event.retracted || event.erased || event.held_back
                ? nothing
                : html`<button @click=${() => this.#open('correct')}>${words.correct}</button
                    ><button @click=${() => this.#open('withdraw')}>${words.withdraw}</button>`
            }
            ${change ? html`<button @click=${undo}>${words.undo}</button>` : nothing}
          </div>`
    }`;
  }

  #form(): TemplateResult {
    const { words, form } = this;
    const label = form === 'correct' ? words.correct : words.withdraw;
    return html`<form class="amend" aria-label=${label} @submit=${this.#submit}>
      ${form === 'correct' ? this.#fields.map(([name, value]) => field(name, value)) : nothing}
      <label
        ><span>${words.reason} <span class="faint">(${words.optional})</span></span
        ><input dir="auto" name="reason" maxlength="4000" autocomplete="off"
      /></label>
      <div class="buttons">
        <button class="primary">${form === 'correct' ? words.save : words.withdraw}</button
        ><button type="button" @click=${() => this.#open(undefined)}>${words.cancel}</button>
      </div>
    </form>`;
  }
}

function field(name: string, value: string | number): TemplateResult {
  const isLong = name === 'text' || String(value).length > LONG;
  return html`<label
    >${name}${
      isLong
        ? html`<textarea dir="auto" name="field ${name}" rows="4" .value=${String(value)}></textarea>`
        : html`<input dir="auto" name="field ${name}" autocomplete="off" .value=${String(value)} />`
    }</label
  >`;
}
