import { html, nothing, type TemplateResult } from 'lit';
import { CHIPS, type Filters } from '../api/filters.js';
import type { FeedModel } from '../timeline/model.js';
import type { Context } from './context.js';
import { icon } from './icons.js';

/** The filters that are set, each with a button that removes it. */
export function chips({ words, filters, filter }: Context): TemplateResult | typeof nothing {
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
      return value ? [{ name, value: value.replace(/T.*/, ''), without: { [name]: '' } }] : [];
    },
  );
  if (!on.length) return nothing;
  return html`<ul class="filters">
    ${on.map(
      ({ name, value, without }) =>
        html`<li class="chip">
          ${label[name]}: ${value}<button
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
    const day = (name: string, plus: number) => (text(name) ? startOfDay(text(name), plus) : '');
    const type = text('type') ? [...new Set([...filters.type, text('type')])] : filters.type;
    filter({
      type,
      actor: text('actor'),
      source: text('source'),
      since: day('since', 0),
      until: day('until', 1),
    });
    close();
  };
  const field = (name: 'actor' | 'source', label: string, offered: string[]) =>
    html`<label
      >${label}<input
        name=${name}
        list="seen-${name}"
        .value=${filters[name] ?? ''}
        autocomplete="off"
      />${options(`seen-${name}`, offered)}</label
    >`;
  return html`<form class="popover filter-form" @submit=${submit} aria-label=${words.filters} title=${zone}>
    <label
      >${words.type}<input
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
    <label>${words.from}<input name="since" type="date" /></label>
    <label>${words.until}<input name="until" type="date" /></label>
    <div class="buttons">
      <button class="primary">${words.apply}</button
      ><button type="button" @click=${close}>${words.cancel}</button>
    </div>
  </form>`;
}

const options = (id: string, values: string[]) =>
  html`<datalist id=${id}>${values.map((value) => html`<option value=${value}></option>`)}</datalist>`;

function startOfDay(day: string, plus: number): string {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number];
  return new Date(year, month - 1, date + plus).toISOString();
}
