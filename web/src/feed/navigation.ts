import type { FeedModel } from '../timeline/model.js';
import type { Row } from '../timeline/fold.js';
import type { Context } from '../view/context.js';
import type { Opened } from '../view/toolbar.js';
import { focusOn } from './focus.js';
import { handleKey, type Actions } from './keys.js';
import { topRow } from '../timeline/reading.js';
import { TABS } from '../text/words.js';

const OPEN_TAB = '[role=tab][aria-selected=true]';

/** What navigation needs of the feed that it moves through. */
export interface NavigableFeed {
  current: string | undefined;
  readonly openId: string | undefined;
  readonly rows: readonly Row[];
  readonly model: FeedModel;
  readonly list: HTMLElement | null;
  readonly context: Context;
  readonly address: boolean;
  readonly renderRoot: ParentNode;
  readonly updateComplete: Promise<boolean>;
  open(id: string, how?: 'push' | 'replace'): void;
  close(): void;
  closeForms(): boolean;
  show(form: Opened): void;
  showNew(): Promise<void>;
  readonly write: (kind: 'note') => void;
  copy(text: string): Promise<void>;
}

/** Moving through a feed: by key, by click, by focus. */
export class Navigation implements Actions {
  constructor(private readonly feed: NavigableFeed) {}

  handle(event: KeyboardEvent, singleKeys: boolean): void {
    if (!this.feed.renderRoot.querySelector('dialog[open].help')) handleKey(event, this, singleKeys);
  }

  readonly onFocus = (event: Event) => {
    const id = (event.target as HTMLElement).closest<HTMLElement>('article[data-id]')?.dataset.id;
    if (id) this.feed.current = id;
  };

  /** Open a row on a plain click. Other links, modified clicks and text selection keep their usual effect. */
  readonly onClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    const id = target.closest<HTMLElement>('article[data-id]')?.dataset.id;
    const other = target.closest('a:not(.sentence), button');
    if (
      !id ||
      other ||
      event.button ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      getSelection()?.type === 'Range'
    )
      return;
    event.preventDefault();
    this.feed.open(id);
  };

  async focusRow(id: string): Promise<void> {
    this.feed.current = id;
    await this.feed.updateComplete;
    const row = this.#element(id);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
  }

  /** Scroll to the event that the page's address names. */
  async reveal(id: string): Promise<void> {
    this.feed.current = id;
    await this.feed.updateComplete;
    for (let n = 0; n < 3; n++) {
      // What stands above is drawn only now, and may be higher or lower than was guessed.
      this.#element(id)?.scrollIntoView({ block: 'center', behavior: 'instant' });
      await new Promise(requestAnimationFrame);
    }
  }

  async move(by: number): Promise<void> {
    const at = this.#at();
    const next = at + by;
    if (next >= this.feed.rows.length) await this.feed.model.more();
    await this.feed.updateComplete;
    const row = this.feed.rows[Math.max(0, Math.min(next, this.feed.rows.length - 1))];
    if (!row) return;
    if (this.feed.openId && this.#focused()) this.feed.open(row.event.event_id, 'replace');
    await this.focusRow(row.event.event_id);
  }

  openCurrent(): void {
    if (this.feed.current) this.feed.open(this.feed.current);
  }

  close(): boolean {
    const wasOpen = !!this.feed.openId || this.feed.closeForms();
    this.feed.close();
    return wasOpen;
  }

  step(by: number): void {
    const at = this.feed.rows.findIndex((row) => row.event.event_id === this.feed.openId);
    const row = this.feed.rows[at + by];
    if (this.feed.openId && row) this.feed.open(row.event.event_id, 'replace');
  }

  showNew(): void {
    void this.feed.showNew();
  }

  filter(): void {
    this.feed.show('filter');
  }

  tab(n: number): void {
    const tab = TABS[n]!;
    if (tab === 'hierarchy' && !this.feed.model.filters.account) return;
    this.feed.context.filter({ tab });
    void focusOn(this.feed, OPEN_TAB);
  }

  note(): void {
    this.feed.write('note');
  }

  copyLink(): void {
    const id = this.feed.openId ?? this.feed.current;
    const event = this.feed.model.events.find((one) => one.event_id === id);
    if (event) void this.feed.copy(new URL(this.feed.context.eventHref(event), location.href).href);
  }

  backToAll(): void {
    if (this.feed.address && this.feed.model.filters.account) location.assign(this.feed.context.allHref);
  }

  help(): void {
    this.feed.show('help');
  }

  /** Move the focus out of the feed: before it, or after it. */
  leave(forward: boolean): void {
    void focusOn(this.feed, forward ? '.after' : OPEN_TAB);
  }

  #focused(): HTMLElement | null {
    const active = (this.feed.renderRoot as ShadowRoot).activeElement;
    return active?.closest<HTMLElement>('article[data-id]') ?? null;
  }

  /** The index where the next step starts: the focused row, else just before the first visible one. */
  #at(): number {
    const index = (id: string | undefined) => this.feed.rows.findIndex((row) => row.event.event_id === id);
    const focused = this.#focused();
    if (focused) return index(focused.dataset.id);
    return this.feed.list ? index(topRow(this.feed.list)?.dataset.id) - 1 : -1;
  }

  #element(id: string): HTMLElement | null {
    return this.feed.renderRoot.querySelector(`article[data-id="${CSS.escape(id)}"]`);
  }
}
