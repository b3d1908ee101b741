import { html, nothing, type TemplateResult } from 'lit';
import type { Context } from './context.js';
import { icon } from './icons.js';
import type { Preferences } from './remembered.js';
import type { FeedModel } from '../timeline/model.js';
import { TABS, type Tab } from '../text/words.js';

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
    ${shown.map((one) =>
      tab(one, model.counts?.[one], one === filters.tab, words.tabs[one], () => filter({ tab: one })),
    )}
  </div>`;
}

function tab(
  tab: Tab,
  count: number | string | undefined,
  isOn: boolean,
  label: string,
  choose: () => void,
): TemplateResult {
  return html`<button
    role="tab"
    id="tab-${tab}"
    aria-selected=${isOn}
    aria-controls="shown"
    tabindex=${isOn ? 0 : -1}
    @click=${choose}
  >
    ${label} ${count === undefined ? nothing : html`<span class="count">${count}</span>`}
  </button>`;
}

export type Opened = 'filter' | 'settings' | 'help';

/** What opens from the bar, each under its button. */
export function tools(
  opened: Opened | undefined,
  show: (what: Opened | undefined) => void,
  forms: Record<'filter' | 'settings', () => unknown>,
  { words }: Context,
): TemplateResult {
  const tool = (name: Opened, icons: string, label: string) =>
    html`<button
      class="bare"
      data-opens=${name}
      aria-label=${label}
      title=${label}
      aria-expanded=${opened === name}
      @click=${() => show(opened === name ? undefined : name)}
    >
      ${icon(icons)}
    </button>`;
  return html`<div class="tools">
    ${tool('filter', 'list-filter', words.filters)} ${tool('settings', 'settings-2', words.settings)}
    ${tool('help', 'keyboard', words.keys)}
    ${opened === 'filter' || opened === 'settings' ? forms[opened]() : nothing}
  </div>`;
}

/** The settings of this browser. */
export function settingsForm(
  preferences: Preferences,
  change: (change: Partial<Preferences>) => void,
  { words }: Context,
): TemplateResult {
  const box = (name: keyof Preferences, label: string) =>
    html`<label class="check"
      ><input
        type="checkbox"
        .checked=${preferences[name]}
        @change=${(event: Event) => change({ [name]: (event.target as HTMLInputElement).checked })}
      />${label}</label
    >`;
  return html`<div class="popover" role="group" aria-label=${words.settings}>
    ${box('fold', words.foldRepeats)} ${box('singleKeys', words.singleKeys)}
  </div>`;
}

/** The list of keys. */
export function keyHelp(close: () => void, { words }: Context): TemplateResult {
  return html`<dialog class="help" aria-labelledby="help-title" @close=${close}>
    <h2 id="help-title">${words.keys}</h2>
    <dl class="facts">
      ${words.keyHelp.map(
        ([key, does]) =>
          html`<dt><kbd>${key}</kbd></dt>
            <dd>${does}</dd>`,
      )}
    </dl>
    <form method="dialog"><button class="primary">${words.close}</button></form>
  </dialog>`;
}
