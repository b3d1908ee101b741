import { html, nothing, type TemplateResult } from 'lit';
import type { StreamStatus } from '../stream/stream.js';
import type { Context } from './context.js';
import { icon } from './icons.js';

type Write = (kind: 'note' | 'call' | 'comment') => void;

/** The feed's heading, the state of its stream, and the buttons that write where that is allowed. */
export function head(
  heading: string,
  status: StreamStatus,
  write: Write | undefined,
  context: Context,
): TemplateResult {
  const { words, level } = context;
  const name = html`<bdi>${heading}</bdi>`;
  return html`<header class="head">
      ${level === 2 ? html`<h1 id="heading">${name}</h1>` : html`<h2 id="heading">${name}</h2>`}
      ${liveStatus(status, context)}
      <span class="space"></span>
      ${write ? writeButtons(write, context) : nothing}
    </header>
    ${status === 'offline' ? offline(words.offlineBanner) : nothing}`;
}

const offline = (text: string) => html`<p class="banner">${icon('wifi-off')}${text}</p>`;

const writeButtons = (write: Write, { words }: Context) =>
  html`<button data-opens="note" @click=${() => write('note')}>${words.addNote}</button
    ><button data-opens="call" @click=${() => write('call')}>${words.logCall}</button
    ><button data-opens="comment" @click=${() => write('comment')}>${words.addComment}</button>`;

/** The state of the stream, as a dot and a word. */
function liveStatus(status: StreamStatus, { words }: Context): TemplateResult {
  const labels = {
    connecting: words.connecting,
    live: words.live,
    reconnecting: words.reconnecting,
    offline: words.offline,
    stopped: words.stopped,
  };
  return html`<span class="status ${status}" role="status"
    ><i aria-hidden="true"></i>${labels[status]}</span
  >`;
}

/** The button that shows the pending events; nothing where there are none. */
export function pill(pending: number, show: () => void, { words }: Context): TemplateResult | typeof nothing {
  if (!pending) return nothing;
  return html`<button class="pill" @click=${show}>${icon('arrow-up')}${words.newEvents(pending)}</button>`;
}
