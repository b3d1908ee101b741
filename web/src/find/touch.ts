import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Client } from '../api/client.js';
import { touches } from '../api/finding.js';
import type { FeedEvent, Touch } from '../api/wire.js';
import { dateText, dayKey, exactTime } from '../text/time.js';
import { actorLabel } from '../view/links.js';
import type { Found } from './found.js';

const OFTEN = 1_000; // ms between two looks, while the feed changes

/** The touches that head an account or a person: the first and the last, and what comes next. */
@customElement('activity-touch')
export class ActivityTouch extends LitElement {
  @property({ attribute: false }) client!: Client;
  @property({ attribute: false }) view!: Found;
  /** The path of the record: accounts/acme. */
  @property() record = '';
  @state() private touch: Touch | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener('activity-changed', this.#onChange);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('activity-changed', this.#onChange);
    clearTimeout(this.#soon);
  }

  /** Read it again once the feed shows something else, at most every so often. */
  readonly #onChange = () => {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#read();
    }, OFTEN);
  };

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('record') || changed.has('client')) void this.#read();
  }

  async #read(): Promise<void> {
    // What heads the feed is left out where it cannot be read: the feed itself says why.
    this.touch = await touches(this.client, this.record).catch(() => this.touch);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { touch, view } = this;
    if (!touch?.last) return nothing;
    const { words } = view;
    return html`<dl class="touch">
      <dt>${words.silence}</dt>
      <dd>${words.daysAgo(touch.silent_days ?? 0)}</dd>
      ${this.#event(words.lastIn, touch.last_in)} ${this.#event(words.lastOut, touch.last_out)}
      ${this.#event(words.firstTouch, earliest(touch))} ${this.#event(words.nextMeeting, touch.next_meeting)}
      ${
        touch.open_tasks
          ? html`<dt>${words.openTasks(touch.open_tasks)}</dt>
              <dd><bdi>${touch.next_task?.title}</bdi></dd>`
          : nothing
      }
    </dl>`;
  }

  #event(label: string, event: FeedEvent | null): TemplateResult | typeof nothing {
    if (!event) return nothing;
    const { zone, dates } = this.view;
    const [kind = '', id = ''] = this.record.split('/').map(decodeURIComponent);
    const scope: [string, string] = [kind === 'accounts' ? 'account' : 'contact', id];
    return html`<dt>${label}</dt>
      <dd>
        <a href=${this.view.href([scope, ['event', event.event_id]])}
          ><bdi>${actorLabel(event)}</bdi> <bdi>${event.summary}</bdi></a
        >
        <small title=${exactTime(event.occurred_at, zone, dates)}
          >${dateText(dayKey(event.occurred_at, zone), dates)}</small
        >
      </dd>`;
  }
}

const earliest = ({ first_in, first_out }: Touch): FeedEvent | null =>
  !first_in || (first_out && first_out.occurred_at < first_in.occurred_at) ? first_out : first_in;
