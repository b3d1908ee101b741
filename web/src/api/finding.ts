import type { Client } from './client.js';
import type { FeedEvent, RecordKind, RecordPage, SearchPage, Touch, WireEvent, WireTouch } from './wire.js';

/** A page of a list of records. Throws ApiError. */
export const records = (
  client: Client,
  kind: RecordKind,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<RecordPage> => client.read(`${kind}?${query}`, signal);

/** What a search finds. Throws ApiError. */
export async function search(client: Client, query: URLSearchParams): Promise<SearchPage<FeedEvent>> {
  query.set('locale', client.locale);
  const page = await client.read<SearchPage<WireEvent>>(`search?${query}`);
  client.learn(page.names);
  return { ...page, data: page.data.map((hit) => ({ ...hit, event: client.decorate(hit.event) })) };
}

/** The touches of a record, named by its path: accounts/acme. Throws ApiError. */
export async function touches(client: Client, record: string): Promise<Touch> {
  const touch = await client.read<WireTouch<WireEvent>>(`${record}/touch?locale=${client.locale}`);
  const shown = (event: WireEvent | null) => event && client.decorate(event);
  return {
    ...touch,
    first_in: shown(touch.first_in),
    first_out: shown(touch.first_out),
    last_in: shown(touch.last_in),
    last_out: shown(touch.last_out),
    last: shown(touch.last),
    next_meeting: shown(touch.next_meeting),
  };
}
