import { readFilters, writeFilters, type Filters } from '../api/filters.js';
import { pageUrl } from '../view/links.js';

/** What a feed is to show: the events that pass the filters, and one of them opened. */
export interface Target {
  filters: Filters;
  open: string | undefined;
}

/** The target that a query string names within an account, a contact or another record. */
export function readTarget(
  query: URLSearchParams,
  { account, contact, record }: { account: string; contact: string; record: string },
): Target {
  const scope = { ...(account && { account }), ...(contact && { contact }), ...(record && { record }) };
  return { filters: { ...readFilters(query), ...scope }, open: query.get('event') ?? undefined };
}

const withFilters = (filters: Filters, zone: string) =>
  pageUrl(location.pathname, zone, writeFilters(filters));

/** Write the filters into the page's address. */
export function pushFilters(filters: Filters, zone: string): void {
  history.pushState(null, '', withFilters(filters, zone));
}

/** Write the open event into the page's address. */
export function writeOpened(id: string, filters: Filters, zone: string, how: 'push' | 'replace'): void {
  const query: [string, string][] = [...writeFilters(filters), ['event', id]];
  history[`${how}State`]('opened', '', pageUrl(location.pathname, zone, query));
}

/** Take the open event out of the page's address: back to before it was opened, where this page opened it. */
export function clearOpened(filters: Filters, zone: string): void {
  if (history.state === 'opened') history.back();
  else history.replaceState(null, '', withFilters(filters, zone));
}
