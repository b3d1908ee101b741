import type { Session } from './wire.js';

/**
 * A name for one person in one workspace of one server. What a browser keeps of a person (drafts, what they
 * have seen) it keeps under this name: nobody else who signs in on it reads or sends it.
 */
export const ownerOf = (base: string, { tenant, actor }: Session): string =>
  [new URL(base, location.href).href, String(tenant), actor].map(encodeURIComponent).join(' ');

/** A name for what a caller may see: tabs that share it may share a stream. */
export const callerOf = (base: string, session: Session): string =>
  [ownerOf(base, session), ...session.scopes].join(' ');
