import { instant } from '../text/time.js';
import type { FeedEvent } from './wire.js';
import { TABS, type Tab } from '../text/words.js';

/** Which events are shown; every field narrows. The server filters pages, `matches` filters live events. */
export interface Filters {
  tab: Tab;
  account?: string;
  contact?: string;
  /** A record: its type and id, as in opportunity:d_77. */
  record?: string;
  type: string[];
  actor?: string;
  source?: string;
  since?: string;
  until?: string;
}

export const CHIPS = ['type', 'actor', 'source', 'since', 'until'] as const;
const NAMES = ['account', 'contact', 'record', 'actor', 'source', 'since', 'until'] as const;

/** The filters that a query string names. */
export function readFilters(query: URLSearchParams): Filters {
  const tab = query.get('tab') as Tab;
  const filters: Filters = {
    tab: TABS.includes(tab) ? tab : 'all',
    type: query.getAll('type').filter(Boolean),
  };
  for (const name of NAMES) {
    const value = query.get(name);
    if (value) filters[name] = value;
  }
  return filters;
}

/** The query string that names these filters, for the API and for the page's own address. */
export function writeFilters(filters: Filters): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filters[name]) query.set(name, filters[name]);
  for (const type of filters.type) query.append('type', type);
  if (filters.tab !== 'all') query.set('tab', filters.tab);
  return query;
}

export const isNarrowed = (filters: Filters) =>
  filters.type.length > 0 || CHIPS.some((name) => name !== 'type' && filters[name]);

const matchesType = (type: string, pattern: string) =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

/**
 * Whether a live event passes the filters. None passes in the Hierarchy tab: it depends on the account tree,
 * which only the server knows.
 */
export function matches(event: FeedEvent, filters: Filters): boolean {
  const { account, contact, record, actor, source, since, until, type, tab } = filters;
  return (
    (!account || event.account_id === account) &&
    (!contact || event.contact_id === contact) &&
    (!record || `${event.record_type}:${event.record_id}` === record) &&
    (!actor || event.actor === actor) &&
    (!source || event.source === source) &&
    (!since || instant(event.occurred_at) >= instant(since)) &&
    (!until || instant(event.occurred_at) < instant(until)) &&
    (!type.length || type.some((pattern) => matchesType(event.type, pattern))) &&
    (tab === 'all' || (tab !== 'hierarchy' && event.category === tab))
  );
}
