import { html, nothing, type TemplateResult } from 'lit';
import type { Context } from './context.js';
import { CHIPS, type Filters } from './filters.js';
import { icon } from './icons.js';
import type { FeedModel } from './model.js';
import type { StreamStatus } from './stream.js';
import { TABS, type Tab } from './words.js';

/** The live state, in a dot and in words. */
export function liveStatus(status: StreamStatus, { words }: Context): TemplateResult {
  const said = { connecting: words.connecting, live: words.live, reconnecting: words.reconnecting, offline: words.offline, stopped: words.stopped };
  return html`<span class="status ${status}" role="status"><i aria-hidden="true"></i>${said[status]}</span>`;
}

/** The tabs, with what each holds. A tab is chosen by Enter or a click: it costs a request. */
export function tabs(model: FeedModel, { words, filters, filter }: Context): TemplateResult {
  const shown = TABS.filter((tab) => tab !== 'hierarchy' || filters.account);
  const key = (event: KeyboardEvent) => {
    const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')];
    const at = all.indexOf(event.target as HTMLElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all.at(to % all.length)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${words.activity} @keydown=${key}>
    ${shown.map((tab) => one(tab, model.counts?.[tab], tab === filters.tab, words.tabs[tab], () => filter({ tab })))}
  </div>`;
}

function one(tab: Tab, count: number | string | undefined, isOn: boolean, label: string, choose: () => void): TemplateResult {
  return html`<button role="tab" id="tab-${tab}" aria-selected=${isOn} aria-controls="shown" tabindex=${isOn ? 0 : -1} @click=${choose}>
    ${label} ${count === undefined ? nothing : html`<span class="count">${count}</span>`}
  </button>`;
}

/** What narrows the feed, each removable. */
export function chips({ words, filters, filter }: Context): TemplateResult | typeof nothing {
  const label: Record<(typeof CHIPS)[number], string> = { type: words.type, actor: words.actor, source: words.source, since: words.from, until: words.until };
  const on = CHIPS.flatMap((name): { name: (typeof CHIPS)[number]; value: string; without: Partial<Filters> }[] => {
    if (name === 'type') return filters.type.map((type) => ({ name, value: type, without: { type: filters.type.filter((other) => other !== type) } }));
    const value = filters[name];
    return value ? [{ name, value: value.replace(/T.*/, ''), without: { [name]: '' } }] : [];
  });
  if (!on.length) return nothing;
  return html`<ul class="filters">
    ${on.map(
      ({ name, value, without }) => html`<li class="chip">
        ${label[name]}: ${value}<button class="bare" aria-label=${words.remove(`${label[name]} ${value}`)} @click=${() => filter(without)}>${icon('x')}</button>
      </li>`,
    )}
    <li><button class="link" @click=${() => filter({ type: [], actor: '', source: '', since: '', until: '' })}>${words.clear}</button></li>
  </ul>`;
}

export type Opened = 'filter' | 'settings' | 'help';

/** What opens from the bar, each under its button. */
export function tools(opened: Opened | undefined, show: (what: Opened | undefined) => void, forms: Record<'filter' | 'settings', () => unknown>, { words }: Context): TemplateResult {
  const tool = (name: Opened, icons: string, label: string) => html`<button
    class="bare"
    aria-label=${label}
    title=${label}
    aria-expanded=${opened === name}
    @click=${() => show(opened === name ? undefined : name)}
  >
    ${icon(icons)}
  </button>`;
  return html`<div class="tools">
    ${tool('filter', 'list-filter', words.filters)} ${tool('settings', 'settings-2', words.settings)} ${tool('help', 'keyboard', words.keys)}
    ${opened === 'filter' || opened === 'settings' ? forms[opened]() : nothing}
  </div>`;
}

/** The form that narrows the feed; what was seen so far is offered. */
export function filterForm(model: FeedModel, close: () => void, { words, filters, filter, zone }: Context): TemplateResult {
  const seen = (of: (event: FeedModel['events'][number]) => string) => [...new Set(model.events.map(of))].sort().slice(0, 50);
  const types = seen((event) => event.type);
  const families = [...new Set(types.filter((type) => type.includes('.')).map((type) => `${type.split('.')[0]}.*`))];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const day = (name: string, plus: number) => (text(name) ? startOfDay(text(name), plus) : '');
    const type = text('type') ? [...new Set([...filters.type, text('type')])] : filters.type;
    filter({ type, actor: text('actor'), source: text('source'), since: day('since', 0), until: day('until', 1) });
    close();
  };
  const field = (name: 'actor' | 'source', label: string, offered: string[]) => html`<label
    >${label}<input name=${name} list="seen-${name}" .value=${filters[name] ?? ''} autocomplete="off" />${options(`seen-${name}`, offered)}</label
  >`;
  return html`<form class="popover filter-form" @submit=${submit} aria-label=${words.filters} title=${zone}>
    <label>${words.type}<input name="type" list="seen-type" autocomplete="off" placeholder="email.*" />${options('seen-type', [...families, ...types])}</label>
    ${field('actor', words.actor, seen((event) => event.actor))} ${field('source', words.source, seen((event) => event.source))}
    <label>${words.from}<input name="since" type="date" /></label>
    <label>${words.until}<input name="until" type="date" /></label>
    <div class="buttons"><button class="primary">${words.apply}</button><button type="button" @click=${close}>${words.cancel}</button></div>
  </form>`;
}

const options = (id: string, values: string[]) => html`<datalist id=${id}>${values.map((value) => html`<option value=${value}></option>`)}</datalist>`;

function startOfDay(day: string, plus: number): string {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number];
  return new Date(year, month - 1, date + plus).toISOString();
}

export interface Preferences {
  fold: boolean;
  singleKeys: boolean;
}

/** What a reader can set for himself. */
export function settingsForm(preferences: Preferences, change: (change: Partial<Preferences>) => void, { words }: Context): TemplateResult {
  const box = (name: keyof Preferences, label: string) => html`<label class="check"
    ><input type="checkbox" .checked=${preferences[name]} @change=${(event: Event) => change({ [name]: (event.target as HTMLInputElement).checked })} />${label}</label
  >`;
  return html`<div class="popover" role="group" aria-label=${words.settings}>${box('fold', words.foldRepeats)} ${box('singleKeys', words.singleKeys)}</div>`;
}

/** The list of keys. */
export function keyHelp(close: () => void, { words }: Context): TemplateResult {
  return html`<dialog class="help" aria-labelledby="help-title" @close=${close}>
    <h2 id="help-title">${words.keys}</h2>
    <dl class="facts">${words.keyHelp.map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl>
    <form method="dialog"><button class="primary">${words.close}</button></form>
  </dialog>`;
}
