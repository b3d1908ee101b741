import { html, nothing, type TemplateResult } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import { ref } from 'lit/directives/ref.js';
import type { Context } from './context.js';
import type { Draft } from './drafts.js';
import { isNarrowed } from './filters.js';
import type { Row } from './fold.js';
import { icon } from './icons.js';
import type { FeedModel } from './model.js';
import { row } from './row.js';
import { dayHeading, dayKey } from './time.js';

const GROUP = 50; // rows in one piece that the browser may leave undrawn

export interface ListState {
  rows: readonly Row[];
  current: string | undefined;
  open: string | undefined;
  expanded: ReadonlySet<string>;
  lastSeen: number;
  curl: string;
  toggle(id: string): void;
  retry(): void;
  more(): void;
  addNote: (() => void) | undefined;
}

interface Group {
  day: string;
  first: number;
  rows: Row[];
}

function groups(rows: readonly Row[], zone: string): Group[] {
  const made: Group[] = [];
  rows.forEach((one, index) => {
    const day = dayKey(one.event.occurred_at, zone);
    const last = made.at(-1);
    if (last?.day === day && last.rows.length < GROUP) last.rows.push(one);
    else made.push({ day, first: index, rows: [one] });
  });
  return made;
}

/** The feed itself, or what stands in its place. */
export function list(model: FeedModel, drafts: TemplateResult | typeof nothing, state: ListState, context: Context): TemplateResult {
  const { words } = context;
  const isBusy = model.phase === 'loading' || model.isLoadingMore;
  const made = groups(state.rows, context.zone);
  const isFeed = isBusy || made.length > 0 || drafts !== nothing; // a feed holds articles, or will
  return html`
    <div class="feed" role=${isFeed ? 'feed' : nothing} aria-labelledby=${isFeed ? 'heading' : nothing} aria-busy=${isFeed ? isBusy : nothing}>
      ${drafts}
      ${repeat(
        made,
        (group) => `${group.day}/${group.rows[0]!.event.event_id}`,
        (group, n) => guard(dependencies(group, state, model, context), () => rows(group, made[n - 1]?.day, state, model, context)),
      )}
    </div>
    ${model.events.length ? end(model, state, context) : instead(model, state, context)}
    <p class="sr" role="status">${isBusy ? words.loading : ''}</p>
  `;
}

function dependencies(group: Group, state: ListState, model: FeedModel, context: Context): unknown[] {
  const has = (id: string | undefined) => (group.rows.some(({ event }) => event.event_id === id) ? id : '');
  const minute = Math.floor(context.now / 30_000);
  return [context.words, context.zone, minute, group.first, ...group.rows, has(state.current), has(state.open), state.expanded, model.fresh, model.filters];
}

function rows(group: Group, dayBefore: string | undefined, state: ListState, model: FeedModel, context: Context): TemplateResult {
  const heading = dayHeading(group.day, dayKey(context.now, context.zone), context.dates, context.words);
  // Undrawn groups are taken for as high as their rows usually are, so that the scroll bar tells the truth. The policy forbids style attributes.
  const height = `auto ${group.rows.length * 40 + (group.day === dayBefore ? 0 : 42)}px`;
  const sized = ref((element) => (element as HTMLElement | undefined)?.style.setProperty('contain-intrinsic-block-size', height));
  return html`<div class="group" ${sized}>
    ${repeat(
      group.rows,
      (one) => one.event.event_id,
      (one, n) => {
        const { event_id: id, seq } = one.event;
        const index = group.first + n;
        const before = state.rows[index - 1]?.event;
        return row(
          one,
          {
            index,
            heading: n === 0 && group.day !== dayBefore ? heading : undefined,
            isFirstSeen: !!before && before.seq > state.lastSeen && seq <= state.lastSeen,
            isCurrent: id === state.current,
            isOpen: id === state.open,
            isFresh: model.fresh.has(id),
            expanded: state.expanded.has(id),
            toggle: one.repeats.length || state.expanded.has(id) ? () => state.toggle(id) : undefined,
          },
          context,
        );
      },
    )}
  </div>`;
}

function end(model: FeedModel, state: ListState, { words, dates, zone }: Context): TemplateResult {
  const day = (iso: string) => new Date(iso).toLocaleDateString(dates, { dateStyle: 'long', timeZone: zone });
  if (model.phase === 'failed') return trouble(model, state.retry, words);
  if (model.moreFailed) return html`<div class="end" role="alert"><p>${words.failed}</p><button @click=${state.more}>${words.retry}</button></div>`;
  if (model.isLoadingMore) return skeleton(2);
  if (model.hasMore) return html`<div class="end"><button class="more" @click=${state.more}>${words.loadMore}</button></div>`;
  return html`<p class="end">${words.beginning(day(model.events.at(-1)!.occurred_at))}</p>`;
}

function instead(model: FeedModel, state: ListState, context: Context): TemplateResult {
  const { words, filters } = context;
  if (model.phase === 'loading') return skeleton(6);
  if (model.phase === 'forbidden') return standIn('lock', words.forbidden, html`<p>${model.error?.message ?? words.forbiddenHint}</p>`);
  if (model.phase === 'signed-out') return standIn('lock', words.signedOut, nothing);
  if (model.phase === 'failed') return trouble(model, state.retry, words);
  if (isNarrowed(filters) || filters.tab !== 'all') return unmatched(model, state, context);
  return standIn(
    'activity',
    words.empty,
    html`<p>${words.emptyHint}</p>
      <pre tabindex="0">${state.curl}</pre>
      ${state.addNote ? html`<button class="primary" @click=${state.addNote}>${words.addNote}</button>` : nothing}`,
  );
}

function unmatched(model: FeedModel, state: ListState, { words, filters, dates, zone, filter }: Context): TemplateResult {
  const back = model.lookedBackTo && new Date(model.lookedBackTo).toLocaleDateString(dates, { dateStyle: 'long', timeZone: zone });
  const none = { type: [], actor: '', source: '', since: '', until: '' };
  return standIn(
    'list-filter',
    words.nothingMatches(filters.tab === 'all' ? '' : words.tabs[filters.tab]),
    html`${back ? html`<p>${words.lookedBack(back)}</p>` : nothing}
      ${model.hasMore ? html`<button class="primary" @click=${state.more}>${words.loadMore}</button>` : nothing}
      ${isNarrowed(filters) ? html`<button @click=${() => filter(none)}>${words.clear}</button>` : nothing}`,
  );
}

function trouble(model: FeedModel, retry: () => void, words: Context['words']): TemplateResult {
  const request = model.error?.request;
  return html`<div role="alert">
    ${standIn(
      'circle-alert',
      words.failed,
      html`<p>${model.error?.message}</p>
        <button class="primary" @click=${retry}>${words.retry}</button>
        ${request ? html`<p class="faint">${words.request} <code>${request}</code></p>` : nothing}`,
    )}
  </div>`;
}

const standIn = (name: string, title: string, more: unknown) =>
  html`<div class="state">${icon(name)}<p class="state-title">${title}</p>${more}</div>`;

const skeleton = (count: number) =>
  html`<div class="skeleton" aria-hidden="true">
    ${Array.from({ length: count }, (_, n) => html`<div class="row"><i class="bone round"></i><i class="bone long-${n % 3}"></i><i class="bone short"></i></div>`)}
  </div>`;

// As the catalogue draws note.added, call.completed and comment.added.
const LOOKS = { note: { icon: 'sticky-note', tone: 'amber' }, call: { icon: 'phone-call', tone: 'green' }, comment: { icon: 'message-square', tone: 'amber' } };

/** What was written here and is not confirmed yet. */
export function draftRows(drafts: readonly Draft[], retry: (key: string) => void, discard: (key: string) => void, { words }: Context): TemplateResult {
  const states = { saving: words.saving, waiting: words.savedLater, failed: words.notSaved };
  return html`${drafts.map(
    (draft) => html`<article class="draft" tabindex="-1" aria-labelledby="d-${draft.key}">
      <div class="row">
        <span class="badge tone-${LOOKS[draft.kind].tone}">${icon(LOOKS[draft.kind].icon)}</span>
        <div class="said">
          <span class="sentence" id="d-${draft.key}">${draft.body.title || draft.body.text || draft.body.note || draft.body.contact_name || words.logCall}</span>
          <span class="later" role="status">${states[draft.state]}${draft.state === 'failed' ? `: ${draft.error}` : ''}</span>
        </div>
        ${draft.state === 'saving'
          ? nothing
          : html`<button @click=${() => retry(draft.key)}>${words.retry}</button><button @click=${() => discard(draft.key)}>${words.cancel}</button>`}
      </div>
    </article>`,
  )}`;
}
