import { html, nothing, type TemplateResult } from 'lit';
import { CHIPS, type Filters } from '../api/filters.js';
import type { FeedModel } from '../timeline/model.js';
import type { Context } from './context.js';
import { icon } from './icons.js';
import { dateText, dayBefore, dayKey, exactTime, instant, startOfDay } from '../text/time.js';

/** The filters that are set, each with a button that removes it. */
export function chips(context: Context): TemplateResult | typeof nothing {
  const { words, filters, filter } = context;
  const label: Record<(typeof CHIPS)[number], string> = {
    type: words.type,
    actor: words.actor,
    source: words.source,
    since: words.from,
    until: words.until,
  };
  const on = CHIPS.flatMap(
    (name): { name: (typeof CHIPS)[number]; value: string; without: Partial<Filters> }[] => {
      if (name === 'type')
        return filters.type.map((type) => ({
          name,
          value: type,
          without: { type: filters.type.filter((other) => other !== type) },
        }));
      const value = filters[name];
      return value ? [{ name, value: chipText(name, value, context), without: { [name]: '' } }] : [];
    },
  );
  if (!on.length) return nothing;
  return html`<ul class="filters">
    ${on.map(
      ({ name, value, without }) =>
        html`<li class="chip">
          ${label[name]}: <bdi>${value}</bdi
          ><button
            class="bare"
            aria-label=${words.remove(`${label[name]} ${value}`)}
            @click=${() => filter(without)}
          >
            ${icon('x')}
          </button>
        </li>`,
    )}
    <li>
      <button class="link" @click=${() => filter({ type: [], actor: '', source: '', since: '', until: '' })}>
        ${words.clear}
      </button>
    </li>
  </ul>`;
}

/** The form that sets filters; it offers the values of the loaded events. */
export function filterForm(
  model: FeedModel,
  close: () => void,
  { words, filters, filter, zone }: Context,
): TemplateResult {
  const days = daysOf(filters, zone);
  const seen = (of: (event: FeedModel['events'][number]) => string) =>
    [...new Set(model.events.map(of))].sort().slice(0, 50);
  const types = seen((event) => event.type);
  const families = [
    ...new Set(types.filter((type) => type.includes('.')).map((type) => `${type.split('.')[0]}.*`)),
  ];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    // A day that was not touched leaves the filter as it is: an address may name a time of that day.
    const day = (name: 'since' | 'until', later: number) =>
      text(name) === days[name] ? filters[name] : text(name) && startOfDay(text(name), zone, later);
    const type = text('type') ? [...new Set([...filters.type, text('type')])] : filters.type;
    filter({
      type,
      actor: text('actor'),
      source: text('source'),
      since: day('since', 0) ?? '',
      until: day('until', 1) ?? '',
    });
    close();
  };
  const field = (name: 'actor' | 'source', label: string, offered: string[]) =>
    html`<label
      >${label}<input
        dir="auto"
        name=${name}
        list="seen-${name}"
        .value=${filters[name] ?? ''}
        autocomplete="off"
      />${options(`seen-${name}`, offered)}</label
    >`;
  return html`<form class="popover filter-form" @submit=${submit} aria-label=${words.filters} title=${zone}>
    <label
      >${words.type}<input
        dir="auto"
        name="type"
        list="seen-type"
        autocomplete="off"
        placeholder="email.*"
      />${options('seen-type', [...families, ...types])}</label
    >
    ${field(
      'actor',
      words.actor,
      seen((event) => event.actor),
    )}
    ${field(
      'source',
      words.source,
      seen((event) => event.source),
    )}
    <label>${words.from}<input name="since" type="date" .value=${days.since} /></label>
    <label>${words.until}<input name="until" type="date" .value=${days.until} /></label>
    <div class="buttons">
      <button class="primary">${words.apply}</button
      ><button type="button" @click=${close}>${words.cancel}</button>
    </div>
  </form>`;
}

const options = (id: string, values: string[]) =>
  html`<datalist id=${id}>${values.map((value) => html`<option value=${value}></option>`)}</datalist>`;

/** The days of the filters, each as its field holds it; both count. */
const daysOf = ({ since, until }: Filters, zone: string) => ({
  since: since ? dayKey(since, zone) : '',
  until: until ? dayBefore(until, zone) : '',
});

/** A filter's value as a person reads it: a day where it is the bound of one, else the moment. */
function chipText(name: keyof Filters, value: string, { zone, dates, filters }: Context): string {
  if (name !== 'since' && name !== 'until') return value;
  const day = daysOf(filters, zone)[name];
  const isBound = instant(startOfDay(day, zone, name === 'until' ? 1 : 0)) === instant(value);
  return isBound ? dateText(day, dates) : exactTime(value, zone, dates);
}
