import { html, nothing, type TemplateResult } from 'lit';
import type { Context } from '../view/context.js';
import type { Draft } from './drafts.js';

export type Composing = Draft['kind'];

/** The form for a note, a call or a comment; `save` stores what was written until the log has it. */
export function compose(
  kind: Composing,
  save: (account: string, body: Draft['body']) => void,
  close: () => void,
  { words, filters }: Context,
): TemplateResult {
  const shown = FORMS[kind];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    save(filters.account ?? text('account'), shown.body(text));
    close();
  };
  const quick = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey))
      (event.currentTarget as HTMLFormElement).requestSubmit();
  };
  return html`<form class="compose" @submit=${submit} @keydown=${quick} aria-label=${shown.label(words)}>
    ${filters.account ? nothing : accountField(words)} ${shown.fields(words)}
    <div class="buttons">
      <button class="primary">${words.save}</button>
      <button type="button" @click=${close}>${words.cancel}</button>
    </div>
  </form>`;
}

const accountField = (words: Context['words']) =>
  html`<label>${words.onAccount}<input name="account" required autocomplete="off" maxlength="500" /></label>`;

const noteFields = (words: Context['words']) => html`
  <label
    ><span>${words.title} <span class="faint">(${words.optional})</span></span
    ><input name="title" maxlength="500" autocomplete="off"
  /></label>
  <label class="wide"
    >${words.note}<textarea name="text" required rows="4" maxlength="100000"></textarea>
  </label>
`;

const callFields = (words: Context['words']) => html`
  <label>${words.with}<input name="contact_name" maxlength="500" autocomplete="off" /></label>
  <label
    >${words.direction}<select name="direction">
      <option value="outbound">${words.outbound}</option>
      <option value="inbound">${words.inbound}</option>
    </select></label
  >
  <label
    >${words.minutes}<input name="minutes" type="number" min="0" max="1440" step="1" inputmode="numeric"
  /></label>
  <label>${words.outcome}<input name="outcome" maxlength="500" autocomplete="off" /></label>
  <label>${words.happened}<input name="occurred_at" type="datetime-local" /></label>
  <label class="wide"
    ><span>${words.note} <span class="faint">(${words.optional})</span></span
    ><textarea name="note" rows="3" maxlength="4000"></textarea>
  </label>
`;

const commentFields = (words: Context['words']) => html`
  <label class="wide"
    >${words.comment}<textarea name="text" required rows="3" maxlength="10000"></textarea>
  </label>
`;

type Text = (name: string) => string;

function note(text: Text): Draft['body'] {
  return { text: text('text'), ...(text('title') && { title: text('title') }) };
}

function call(text: Text): Draft['body'] {
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
    occurred_at: (happened ? new Date(happened) : new Date()).toISOString(),
  } as Draft['body'];
}

interface Form {
  label: (words: Context['words']) => string;
  fields: (words: Context['words']) => TemplateResult;
  body: (text: Text) => Draft['body'];
}

const FORMS: Record<Composing, Form> = {
  note: { label: (words) => words.addNote, fields: noteFields, body: note },
  call: { label: (words) => words.logCall, fields: callFields, body: call },
  comment: {
    label: (words) => words.addComment,
    fields: commentFields,
    body: (text) => ({ text: text('text') }),
  },
};
