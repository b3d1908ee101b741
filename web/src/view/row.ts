import { html, nothing, type TemplateResult } from 'lit';
import type { Context } from './context.js';
import type { Row } from '../timeline/fold.js';
import { fate, told } from './fate.js';
import { icon } from './icons.js';
import { accountLabel, contactLabel, actorLabel } from './links.js';
import { duration, exactTime, isLoggedLater, lag, rowTime } from '../text/time.js';
import type { FeedEvent } from '../api/wire.js';

export interface RowState {
  index: number;
  heading: string | undefined;
  isUnseen: boolean;
  isFirstUnseen: boolean;
  isCurrent: boolean;
  isOpen: boolean;
  isFresh: boolean;
  expanded: boolean;
  toggle: (() => void) | undefined;
}

/** An event's icon in its colour. */
export const badge = (event: { icon: string; tone: string }) =>
  html`<span class="badge tone-${event.tone}">${icon(event.icon)}</span>`;

/** One event as an article. A day's first one holds the day's heading: a feed may contain only articles. */
export function row({ event, repeats }: Row, state: RowState, context: Context): TemplateResult {
  const { words } = context;
  const id = event.event_id;
  return html`<article
    data-id=${id}
    class="${state.isFresh ? 'fresh' : ''} ${state.isOpen ? 'open' : ''} ${state.isUnseen ? 'unseen' : ''}"
    tabindex=${state.isCurrent ? 0 : -1}
    aria-labelledby="s-${id}"
    aria-describedby="t-${id} f-${id}"
    aria-posinset=${state.index + 1}
    aria-setsize="-1"
  >
    ${state.heading ? dayLine(state.heading, context.level) : nothing}
    ${state.isFirstUnseen ? html`<p class="since"><span>${words.sinceLastVisit}</span></p>` : nothing}
    <div class="row">
      ${badge(event)}
      <div class="text">
        <a class="sentence" id="s-${id}" href=${context.eventHref(event)} tabindex="-1"
          ><span class="sr">${event.title}: </span
          ><bdi class="actor" title=${event.actor}>${actorLabel(event)}</bdi> ${told(event)}</a
        >
        <span id="f-${id}">${fate(event, context)}</span>
        ${state.toggle ? repeated(repeats.length + 1, state, context) : nothing} ${later(event, context)}
      </div>
      <div class="chips">${scopes(event, context)}</div>
      ${when(event, context)}
    </div>
  </article>`;
}

const dayLine = (heading: string, level: number) =>
  html`<div class="day" role="heading" aria-level=${level}>${heading}</div>`;

function repeated(times: number, state: RowState, { words }: Context): TemplateResult {
  const label = state.expanded ? words.hideRepeats : words.repeats(times);
  return html`<button
    class="times"
    aria-expanded=${state.expanded}
    aria-label=${label}
    title=${label}
    @click=${state.toggle}
  >
    ${state.expanded ? '−' : `×${times}`}
  </button>`;
}

function later(event: FeedEvent, { words }: Context): TemplateResult | typeof nothing {
  if (!isLoggedLater(event)) return nothing;
  return html`<span class="later" title=${words.recordedAfter(duration(lag(event)))}
    >${icon('clock-arrow-up')}${words.loggedLater}</span
  >`;
}

function scopes(event: FeedEvent, context: Context): unknown {
  const { filters } = context;
  const account = filters.account !== event.account_id && event.account_id;
  const contact = filters.contact !== event.contact_id && event.contact_id;
  return [
    account
      ? html`<a class="chip" tabindex="-1" href=${context.scopeHref('account', account)}
          ><bdi>${accountLabel(event)}</bdi></a
        >`
      : nothing,
    contact
      ? html`<a class="chip" tabindex="-1" href=${context.scopeHref('contact', contact)}
          ><bdi>${contactLabel(event)}</bdi></a
        >`
      : nothing,
  ];
}

function when(event: FeedEvent, { now, zone, dates, words }: Context): TemplateResult {
  return html`<time
    id="t-${event.event_id}"
    datetime=${event.occurred_at}
    title=${exactTime(event.occurred_at, zone, dates)}
    >${rowTime(event.occurred_at, now, zone, dates, words)}</time
  >`;
}
