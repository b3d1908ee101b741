import type { FeedEvent } from '../api/wire.js';

/** The address of a record by the template; undefined where the result is not a web address. */
export function recordUrl(
  template: string | undefined | null,
  type: string | null,
  id: string | null,
): string | undefined {
  if (!template || !type || !id) return undefined;
  const filled = template
    .replaceAll('{type}', encodeURIComponent(type))
    .replaceAll('{id}', encodeURIComponent(id));
  try {
    return /^https?:$/.test(new URL(filled, location.href).protocol) ? filled : undefined;
  } catch {
    return undefined;
  }
}

/** An address of the page. It keeps the zone that was asked for, so that a link shows the same times. */
export function pageUrl(page: string, zone: string | null, query: Iterable<[string, string]> = []): string {
  const all = new URLSearchParams([...query]);
  if (zone) all.set('tz', zone);
  return all.size ? `${page}?${all}` : page;
}

/** A user's e-mail as a name: ana.ruiz@vendor.example is Ana Ruiz. Anything else stays. */
export function actorName(actor: string): string {
  const local = /^([\p{L}.'_-]+)@/u.exec(actor)?.[1];
  if (!local) return actor === 'system' ? 'System' : actor;
  return local
    .split(/[._]+/)
    .filter(Boolean)
    .map((part) => part[0]!.toLocaleUpperCase() + part.slice(1))
    .join(' ');
}

/** Who did it: the contact, where the actor is the system that recorded it. */
export function actorLabel(event: FeedEvent): string {
  if (!event.by_contact || event.actor !== 'system') return actorName(event.actor);
  const recipient = (event.payload as { recipient?: unknown } | null)?.recipient;
  return (
    event.contact_name ||
    (typeof recipient === 'string' && recipient) ||
    event.contact_id ||
    actorName(event.actor)
  );
}

export const accountLabel = (event: FeedEvent) => event.account_name || event.account_id;
export const contactLabel = (event: FeedEvent) => event.contact_name || event.contact_id;

/** The command that sends a first event. */
export function firstEvent(src: string, account: string): string {
  const event = { type: 'note.added', account_id: account || 'acme', payload: { text: 'Hello' } };
  const url = new URL(`${src.replace(/\/$/, '')}/events`, location.href).href;
  return `curl ${url} \\\n  -H "Authorization: Bearer $KEY" --json \\\n  '${JSON.stringify(event)}'`;
}
