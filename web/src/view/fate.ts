import { html, nothing, type TemplateResult } from 'lit';
import type { Change, FeedEvent, SummaryPart } from '../api/wire.js';
import type { Context } from './context.js';
import { icon } from './icons.js';
import { actorName } from './links.js';
import { exactTime } from '../text/time.js';

const LONG = 60; // characters from which bold is no longer a help

/** A summary with what came from the payload set apart. */
export const sentence = (parts: readonly SummaryPart[]) =>
  parts.map((part) =>
    'v' in part
      ? part.v.length < LONG
        ? html`<b dir="auto">${part.v}</b>`
        : html`<span dir="auto">${part.v}</span>`
      : part.t,
  );

/** What an event says as far as is known; struck through where it never happened. */
export const told = (event: FeedEvent) =>
  event.retracted ? html`<del>${sentence(event.summary_parts)}</del>` : sentence(event.summary_parts);

/** What later events made of an event: what it said before, and who corrected or withdrew it. */
export function fate(event: FeedEvent, { words }: Context): TemplateResult | typeof nothing {
  const { corrected, retracted } = event;
  if (retracted) return by(retracted, words.retractedBy);
  if (event.held_back)
    return html`<span class="fate" title=${words.heldBackWhy}>${icon('lock')}${words.heldBack}</span>`;
  if (!corrected) return nothing;
  return html`<del class="was">${sentence(corrected.was_parts)}</del> ${by(corrected, words.correctedBy)}`;
}

const by = ({ actor, reason }: Change, say: (name: string) => string) =>
  html`<span class="fate" title=${reason ?? ''}>${say(actorName(actor))}</span>`;

/** The same in full: by whom, when and why. */
export function fateInFull(
  event: FeedEvent,
  { words, zone, dates }: Context,
): TemplateResult | typeof nothing {
  const change = event.retracted ?? event.corrected;
  if (!change) return nothing;
  const say = event.retracted ? words.retractedBy : words.correctedBy;
  return html`<p class="fate">
    ${say(actorName(change.actor))} · ${exactTime(change.recorded_at, zone, dates)}
    ${change.reason ? html`<br /><bdi>${change.reason}</bdi>` : nothing}
  </p>`;
}

/** A text of the payload, the right one first and the recorded one struck through. */
export function text(event: FeedEvent): TemplateResult | typeof nothing {
  const recorded = textIn(event.payload);
  const right = textIn(event.corrected?.correct) ?? recorded;
  if (right === undefined) return nothing;
  const old = event.retracted ? undefined : right === recorded ? undefined : recorded;
  return html`<blockquote dir="auto">${event.retracted ? html`<del>${right}</del>` : right}</blockquote>
    ${old === undefined ? nothing : html`<blockquote dir="auto"><del>${old}</del></blockquote>`}`;
}

function textIn(payload: unknown): string | undefined {
  const found = (payload as { text?: unknown } | null | undefined)?.text;
  return typeof found === 'string' ? found : undefined;
}
