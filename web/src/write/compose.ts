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
    ${filters.account ? nothing : line(words.onAccount, 'account', typed, true)}
    ${shown.fields(words, typed, zone)}
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

type Label = string | TemplateResult;

const optional = (label: string, words: Words) =>
  html`<span>${label} <span class="faint">(${words.optional})</span></span>`;

/** A field of one line; `Typed` has its text by its name. */
const line = (label: Label, name: string, typed: Typed, required = false) =>
  html`<label
    >${label}<input
      dir="auto"
      name=${name}
      ?required=${required}
      autocomplete="off"
      maxlength="500"
      .value=${typed[name] ?? ''}
  /></label>`;

/** A field of several lines. */
const area = (
  label: Label,
  name: string,
  typed: Typed,
  { rows, most, required }: { rows: number; most: number; required: boolean },
) =>
  html`<label class="wide"
    >${label}<textarea
      dir="auto"
      name=${name}
      ?required=${required}
      rows=${rows}
      maxlength=${most}
      .value=${typed[name] ?? ''}
    ></textarea>
  </label>`;

const noteFields = (words: Words, typed: Typed) => html`
  ${line(optional(words.title, words), 'title', typed)}
  ${area(words.note, 'text', typed, { rows: 4, most: 100_000, required: true })}
`;

const callFields = (words: Words, typed: Typed, zone: string) => html`
  ${line(words.with, 'contact_name', typed)}
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
  ${line(words.outcome, 'outcome', typed)}
  <label
    ><span>${words.happened} <span class="faint">(${zone})</span></span
    ><input name="occurred_at" type="datetime-local" .value=${typed.occurred_at ?? ''}
  /></label>
  ${area(optional(words.note, words), 'note', typed, { rows: 3, most: 4_000, required: false })}
`;

const commentFields = (words: Words, typed: Typed) =>
  area(words.comment, 'text', typed, { rows: 3, most: 10_000, required: true });

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
