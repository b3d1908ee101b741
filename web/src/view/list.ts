import { html, nothing, type TemplateResult } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import { ref } from 'lit/directives/ref.js';
import type { Context } from './context.js';
import { isNarrowed } from '../api/filters.js';
import type { Row } from '../timeline/fold.js';
import { icon } from './icons.js';
import type { FeedEvent } from '../api/wire.js';
import type { FeedModel } from '../timeline/model.js';
import { row } from './row.js';
import { dayHeading, dayKey } from '../text/time.js';

const GROUP = 50; // rows in one piece that the browser may leave undrawn

export interface ListState {
  rows: readonly Row[];
  current: string | undefined;
  open: string | undefined;
  expanded: ReadonlySet<string>;
  /** Whether an event came since its reader's last visit. */
  isUnseen(event: FeedEvent): boolean;
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

/** The feed, or the placeholder of an empty one. */
export function list(
  model: FeedModel,
  drafts: TemplateResult | typeof nothing,
  state: ListState,
  context: Context,
): TemplateResult {
  const { words } = context;
  const isBusy = model.phase === 'loading' || model.isLoadingMore;
  const firstUnseen = state.rows.findIndex(({ event }) => state.isUnseen(event));
  const made = groups(state.rows, context.zone);
  const isFeed = isBusy || made.length > 0 || drafts !== nothing; // a feed holds articles, or will
  return html`
    <div
      class="feed"
      role=${isFeed ? 'feed' : nothing}
      aria-labelledby=${isFeed ? 'heading' : nothing}
      aria-busy=${isFeed ? isBusy : nothing}
    >
      ${drafts}
      ${repeat(
        made,
        (group) => `${group.day}/${group.rows[0]!.event.event_id}`,
        (group, n) =>
          guard([firstUnseen, ...dependencies(group, state, model, context)], () =>
            rows(group, made[n - 1]?.day, firstUnseen, state, model, context),
          ),
      )}
    </div>
    <div class="after" tabindex="-1">
      ${model.events.length ? end(model, state, context) : emptyFeed(model, state, context)}
    </div>
    <p class="sr" role="status">${isBusy ? words.loading : ''}</p>
  `;
}

function dependencies(group: Group, state: ListState, model: FeedModel, context: Context): unknown[] {
  const has = (id: string | undefined) => (group.rows.some(({ event }) => event.event_id === id) ? id : '');
  const minute = Math.floor(context.now / 30_000);
  return [
    context.words,
    context.zone,
    minute,
    group.first,
    ...group.rows,
    has(state.current),
    has(state.open),
    state.expanded,
    model.fresh,
    model.filters,
  ];
}

function rows(
  group: Group,
  dayBefore: string | undefined,
  firstUnseen: number,
  state: ListState,
  model: FeedModel,
  context: Context,
): TemplateResult {
  const heading = dayHeading(group.day, dayKey(context.now, context.zone), context.dates, context.words);
  // An undrawn group gets its usual height, so that the scroll bar is right. The policy forbids style
  // attributes.
  const height = `auto ${group.rows.length * 40 + (group.day === dayBefore ? 0 : 42)}px`;
  const sized = ref((element) =>
    (element as HTMLElement | undefined)?.style.setProperty('contain-intrinsic-block-size', height),
  );
  return html`<div class="group" ${sized}>
    ${repeat(
      group.rows,
      (one) => one.event.event_id,
      (one, n) => {
        const { event_id: id } = one.event;
        const index = group.first + n;
        return row(
          one,
          {
            index,
            heading: n === 0 && group.day !== dayBefore ? heading : undefined,
            isUnseen: state.isUnseen(one.event),
            isFirstUnseen: index === firstUnseen,
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
  if (model.phase === 'failed') return failure(model, state.retry, words);
  if (model.moreFailed)
    return html`<div class="end" role="alert">
      <p>${words.failed}</p>
      <button @click=${state.more}>${words.retry}</button>
    </div>`;
  if (model.isLoadingMore) return skeleton(2);
  if (model.hasMore)
    return html`<div class="end"><button class="more" @click=${state.more}>${words.loadMore}</button></div>`;
  return html`<p class="end">${words.beginning(day(model.events.at(-1)!.occurred_at))}</p>`;
}

function emptyFeed(model: FeedModel, state: ListState, context: Context): TemplateResult {
  const { words, filters } = context;
  if (model.phase === 'loading') return skeleton(6);
  if (model.phase === 'forbidden')
    return placeholder('lock', words.forbidden, html`<p>${model.error?.message ?? words.forbiddenHint}</p>`);
  if (model.phase === 'signed-out') return placeholder('lock', words.signedOut, nothing);
  if (model.phase === 'failed') return failure(model, state.retry, words);
  if (isNarrowed(filters) || filters.tab !== 'all') return unmatched(model, state, context);
  return placeholder(
    'activity',
    words.empty,
    html`<p>${words.emptyHint}</p>
      <pre tabindex="0">${state.curl}</pre>
      ${state.addNote ? primary(state.addNote, words.addNote) : nothing}`,
  );
}

function unmatched(
  model: FeedModel,
  state: ListState,
  { words, filters, dates, zone, filter }: Context,
): TemplateResult {
  const back =
    model.lookedBackTo &&
    new Date(model.lookedBackTo).toLocaleDateString(dates, { dateStyle: 'long', timeZone: zone });
  const none = { type: [], actor: '', source: '', since: '', until: '' };
  return placeholder(
    'list-filter',
    words.nothingMatches(filters.tab === 'all' ? '' : words.tabs[filters.tab]),
    html`${back ? html`<p>${words.lookedBack(back)}</p>` : nothing}
    ${model.hasMore ? html`<button class="primary" @click=${state.more}>${words.loadMore}</button>` : nothing}
    ${isNarrowed(filters) ? html`<button @click=${() => filter(none)}>${words.clear}</button>` : nothing}`,
  );
}

function failure(model: FeedModel, retry: () => void, words: Context['words']): TemplateResult {
  const request = model.error?.request;
  return html`<div role="alert">
    ${placeholder(
      'circle-alert',
      words.failed,
      html`<p>${model.error?.message}</p>
        <button class="primary" @click=${retry}>${words.retry}</button>
        ${request ? html`<p class="faint">${words.request} <code>${request}</code></p>` : nothing}`,
    )}
  </div>`;
}

const placeholder = (name: string, title: string, more: unknown) =>
  html`<div class="state">
    ${icon(name)}
    <p class="state-title">${title}</p>
    ${more}
  </div>`;

const primary = (act: () => void, label: string) =>
  html`<button class="primary" @click=${act}>${label}</button>`;

const bone = (n: number) =>
  html`<div class="row">
    <i class="bone round"></i><i class="bone long-${n}"></i><i class="bone short"></i>
  </div>`;

const skeleton = (count: number) =>
  html`<div class="skeleton" aria-hidden="true">
    ${Array.from({ length: count }, (_, n) => bone(n % 3))}
  </div>`;
