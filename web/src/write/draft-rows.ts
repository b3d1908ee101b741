import { html, nothing, type TemplateResult } from 'lit';
import type { Context } from '../view/context.js';
import { icon } from '../view/icons.js';
import type { Draft, Drafts } from './drafts.js';

// As the catalogue draws note.added, call.completed and comment.added.
const STYLES = {
  note: { icon: 'sticky-note', tone: 'amber' },
  call: { icon: 'phone-call', tone: 'green' },
  comment: { icon: 'message-square', tone: 'amber' },
};

const LABELS = { note: 'note', call: 'logCall', comment: 'comment' } as const;

type Edit = (draft: Draft) => void;

const draftText = ({ body }: Draft) => body.title || body.text || body.note || body.contact_name;

/** The rows of what was written here and is not confirmed yet. */
export function draftRows(drafts: Drafts, edit: Edit, context: Context): TemplateResult | typeof nothing {
  const shown = drafts.of(context.filters.account);
  return shown.length ? html`${shown.map((draft) => draftRow(draft, drafts, edit, context))}` : nothing;
}

function draftRow(draft: Draft, drafts: Drafts, edit: Edit, { words }: Context): TemplateResult {
  const states = { saving: words.saving, waiting: words.savedLater, failed: words.notSaved };
  const { icon: name, tone } = STYLES[draft.kind];
  return html`<article class="draft" tabindex="-1" aria-labelledby="d-${draft.key}">
    <div class="row">
      <span class="badge tone-${tone}">${icon(name)}</span>
      <div class="text">
        <span class="sentence" dir="auto" id="d-${draft.key}"
          >${draftText(draft) || words[LABELS[draft.kind]]}</span
        >
        <span class="later" role="status"
          >${states[draft.state]}${draft.state === 'failed' ? `: ${draft.error}` : ''}</span
        >
      </div>
      ${draft.state === 'saving' ? nothing : buttons(draft, drafts, edit, words)}
    </div>
  </article>`;
}

const buttons = (draft: Draft, drafts: Drafts, edit: Edit, words: Context['words']) =>
  html`<button @click=${() => void drafts.send(draft.key)}>${words.retry}</button
    ><button @click=${() => edit(draft)}>${words.edit}</button
    ><button @click=${() => drafts.discard(draft.key)}>${words.discard}</button>`;
