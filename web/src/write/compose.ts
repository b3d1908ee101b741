import { html, nothing, type TemplateResult } from 'lit';
import type { Words } from '../text/words.js';
import type { Context } from '../view/context.js';
import { momentOf } from '../text/time.js';
import type { Writing } from '../api/client.js';
import type { Draft } from './drafts.js';
import type { Typed } from './typed.js';

/** A form's fields as they were, and what becomes of them. */
export interface Form {
  typed: Typed;
  type(typed: Typed): void;
  /** Store what was written until the log has it. */
  save(account: string, body: Draft['body']): void;
  discard(): void;
}

/** The form for a note, a call or a comment. */
export function compose(
  kind: Writing,
  { typed, type, save, discard }: Form,
  { words, filters, zone }: Context,
): TemplateResult {
  const shown = FORMS[kind];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = fieldsOf(event);
    const text = (name: string) => (fields[name] ?? '').trim();
    save(filters.account ?? text('account'), shown.body(text, zone));
  };
  const quick = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey))
      (event.currentTarget as HTMLFormElement).requestSubmit();
  };
  return html`<form
    class="compose"
    aria-label=${shown.label(words)}
    @submit=${submit}
    @input=${(event: Event) => type(fieldsOf(event))}
    @keydown=${quick}
  >
    ${filters.account ? nothing : accountField(words, typed)} ${shown.fields(words, typed, zone)}
    <div class="buttons">
      <button class="primary">${words.save}</button>
      <button type="button" @click=${discard}>${words.cancel}</button>
    </div>
  </form>`;
}

const fieldsOf = (event: Event): Typed =>
  Object.fromEntries(
    [...new FormData(event.currentTarget as HTMLFormElement)].map(([name, value]) => [name, String(value)]),
  );

const accountField = (words: Words, typed: Typed) =>
  html`<label
    >${words.onAccount}<input
      dir="auto"
      name="account"
      required
      autocomplete="off"
      maxlength="500"
      .value=${typed.account ?? ''}
  /></label>`;

const noteFields = (words: Words, typed: Typed) => html`
  <label
    ><span>${words.title} <span class="faint">(${words.optional})</span></span
    ><input dir="auto" name="title" maxlength="500" autocomplete="off" .value=${typed.title ?? ''}
  /></label>
  <label class="wide"
    >${words.note}<textarea
      dir="auto"
      name="text"
      required
      rows="4"
      maxlength="100000"
      .value=${typed.text ?? ''}
    ></textarea>
  </label>
`;

const callFields = (words: Words, typed: Typed, zone: string) => html`
  <label
    >${words.with}<input
      dir="auto"
      name="contact_name"
      maxlength="500"
      autocomplete="off"
      .value=${typed.contact_name ?? ''}
  /></label>
  <label
    >${words.direction}<select name="direction" .value=${typed.direction ?? 'outbound'}>
      <option value="outbound">${words.outbound}</option>
      <option value="inbound">${words.inbound}</option>
    </select></label
  >
  <label
    >${words.minutes}<input
      name="minutes"
      type="number"
      min="0"
      max="1440"
      step="1"
      inputmode="numeric"
      .value=${typed.minutes ?? ''}
  /></label>
  <label
    >${words.outcome}<input
      dir="auto"
      name="outcome"
      maxlength="500"
      autocomplete="off"
      .value=${typed.outcome ?? ''}
  /></label>
  <label
    ><span>${words.happened} <span class="faint">(${zone})</span></span
    ><input name="occurred_at" type="datetime-local" .value=${typed.occurred_at ?? ''}
  /></label>
  <label class="wide"
    ><span>${words.note} <span class="faint">(${words.optional})</span></span
    ><textarea dir="auto" name="note" rows="3" maxlength="4000" .value=${typed.note ?? ''}></textarea>
  </label>
`;

const commentFields = (words: Words, typed: Typed) => html`
  <label class="wide"
    >${words.comment}<textarea
      dir="auto"
      name="text"
      required
      rows="3"
      maxlength="10000"
      .value=${typed.text ?? ''}
    ></textarea>
  </label>
`;

type Text = (name: string) => string;

function note(text: Text): Draft['body'] {
  return { text: text('text'), ...(text('title') && { title: text('title') }) };
}

function call(text: Text, zone: string): Draft['body'] {
  const happened = text('occurred_at');
  const minutes = text('minutes');
  const texts = Object.fromEntries(
    ['direction', 'contact_name', 'outcome', 'note']
      .map((name) => [name, text(name)])
      .filter(([, value]) => value),
  );
  return {
    ...texts,
    ...(minutes && { duration_s: Number(minutes) * 60 }),
    // Chosen now and stored in the draft: a retry with the same key must be the same write.
    occurred_at: happened ? momentOf(happened, zone) : new Date().toISOString(),
  } as Draft['body'];
}

interface Shown {
  label: (words: Words) => string;
  fields: (words: Words, typed: Typed, zone: string) => TemplateResult;
  body: (text: Text, zone: string) => Draft['body'];
}

const FORMS: Record<Writing, Shown> = {
  note: { label: (words) => words.addNote, fields: noteFields, body: note },
  call: { label: (words) => words.logCall, fields: callFields, body: call },
  comment: {
    label: (words) => words.addComment,
    fields: commentFields,
    body: (text) => ({ text: text('text') }),
  },
};
