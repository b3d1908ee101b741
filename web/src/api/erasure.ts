import { wordsFor, type Locale } from '../text/locale.js';
import type { FeedEvent, WireEvent } from './wire.js';

/** After one of these, content that the page holds is gone from the log; only the second names events. */
export const ERASURES = ['contact.erased', 'privacy.bodies_erased'];

/** Whether an event lost its content by this erasure: by its number, of those before the erasure's own. */
export function erasedBy(erasure: WireEvent): (event: WireEvent) => boolean {
  const named = (erasure.payload as { seqs?: unknown } | null)?.seqs;
  if (typeof named !== 'string')
    return ({ seq, contact_id }) => seq < erasure.seq && contact_id === erasure.contact_id;
  const ranges = named.split(',').map((range) => range.split('-').map(Number));
  return ({ seq }) =>
    seq < erasure.seq && ranges.some(([first, last]) => seq >= first! && seq <= (last ?? first!));
}

const GONE = { payload: null, corrected: null, retracted: null, erased: true };

/** The event without its content, worded as the server words it from then on. */
export function emptied(event: FeedEvent, locale: Locale): FeedEvent {
  const summary = `${event.title}: ${wordsFor(locale).contentErased}`;
  return { ...event, ...GONE, summary, summary_parts: [{ t: summary }] };
}
