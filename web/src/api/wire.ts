/** The API's requests and answers (docs/api.md) as types. Only this file and client.ts know them. */

/** A piece of a summary: `t` is the template's wording, `v` came from the payload. */
export type SummaryPart = { t: string } | { v: string };

export interface WireEvent {
  event_id: string;
  seq: number;
  type: string;
  version: number;
  category: string;
  summary: string;
  summary_parts: SummaryPart[];
  occurred_at: string;
  recorded_at: string;
  actor: string;
  source: string;
  account_id: string | null;
  contact_id: string | null;
  record_type: string | null;
  record_id: string | null;
  cause_id: string | null;
  payload: unknown;
  /** What is right instead, and the summary of what was recorded. */
  corrected: (Change & { correct: unknown; was: string; was_parts: SummaryPart[] }) | null;
  /** It never happened. */
  retracted: Change | null;
  classified: (Change & { machine: boolean | null }) | null;
  erased: boolean;
  /** Its contents are for others: this is the fact of it. */
  held_back: boolean;
}

/** A later event that made something else of an earlier one. */
export interface Change {
  event_id: string;
  actor: string;
  recorded_at: string;
  reason: string | null;
}

/** How the catalogue draws a type. */
export interface TypeStyle {
  title: string;
  icon: string;
  tone: string;
  foldable: boolean;
  by_contact: boolean;
}

/** An event with what is needed to draw it. */
export interface FeedEvent extends WireEvent, TypeStyle {
  account_name: string | undefined;
  contact_name: string | undefined;
}

export interface WirePage<E> {
  data: E[];
  has_more: boolean;
  next_cursor: string | null;
  looked_to: string | null;
  stream: { position: string };
  names?: Names | null;
}

/** The names that records have now, by id. */
export interface Names {
  accounts: Record<string, string>;
  contacts: Record<string, string>;
}

export type EventPage = WirePage<FeedEvent>;

export interface WireDetail<E> {
  event: E;
  hash: string | null;
  causes: E[];
  effects: E[];
  corrections: E[];
}
export type EventDetail = WireDetail<FeedEvent>;

export interface WireCounts {
  counts: Record<string, number>;
  total: number;
  complete: boolean;
  bounded: string[];
  beneath: number | null;
}

export interface Session {
  tenant: number;
  actor: string;
  scopes: string[];
  csrf: string | null;
  /** Where records are looked at: https://crm.example.com/{type}s/{id}. */
  record_url: string | null;
}

export interface Receipt {
  event_id: string;
  status: string;
  seq: number | null;
}

export interface RecordLink {
  id: string;
  name?: string | null;
}

export interface Account extends RecordLink {
  parent?: RecordLink | null;
  children?: RecordLink[];
  domain?: string | null;
}

export interface Contact extends RecordLink {
  account_id?: string | null;
  email?: string | null;
}

/** The lists of records, as the API names them. */
export type RecordKind = 'accounts' | 'contacts' | 'opportunities';

export interface ListedRecord {
  record: RecordLink & { owner_email?: string | null; stage?: string | null };
  touched_at?: string | null;
}

export interface RecordPage {
  data: ListedRecord[];
  next_cursor: string | null;
}

/** A piece of what an event says: text, or a word that was searched. */
export type ExcerptPart = { t: string } | { m: string };

export interface WireHit<E> {
  event: E;
  excerpt: ExcerptPart[];
}
export type SearchHit = WireHit<FeedEvent>;

export interface SearchPage<E> {
  data: WireHit<E>[];
  next_cursor: string | null;
  instead: string | null;
  names: Names;
}

export interface WireTouch<E> {
  first_in: E | null;
  first_out: E | null;
  last_in: E | null;
  last_out: E | null;
  last: E | null;
  silent_days: number | null;
  next_meeting: E | null;
  next_task: { title: string } | null;
  open_tasks: number;
}
export type Touch = WireTouch<FeedEvent>;

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  instance?: string;
}
