import { ApiError, newKey, type CallDraft, type CommentDraft } from '../api/client.js';
import type { Client, NoteDraft, Writing } from '../api/client.js';
import { forget, keep, kept } from '../view/remembered.js';
import type { Typed } from './typed.js';

/** Something a person wrote that the log has not confirmed yet. Its key makes every retry the same write. */
export interface Draft {
  key: string;
  /** When it was written, in milliseconds since 1970. */
  at: number;
  account: string;
  kind: Writing;
  body: NoteDraft & CallDraft & CommentDraft;
  /** The form's fields as they were filled in, for editing what was refused. */
  typed: Typed;
  state: 'saving' | 'waiting' | 'failed';
  error?: string;
}

/** What becomes of drafts, as the feed that shows them needs to know it. */
export interface DraftsHandlers {
  changed(): void;
  written(eventId: string): Promise<void>;
  /** The session is over, or is another person's: nothing was sent. */
  signedOut(): void;
}

const MAX_DELAY = 30_000;
const place = (owner: string) => `activity draft ${owner} `;

/** The drafts of an owner in this browser, the newest first. */
export const draftsOf = (owner: string): Draft[] => byAge([...kept<Draft>(place(owner)).values()]);

const byAge = (drafts: Draft[]) => drafts.sort((a, b) => b.at - a.at);

export function forgetDrafts(owner: string): void {
  for (const name of kept(place(owner)).keys()) forget(name);
}

/**
 * Stores what one person wrote until the log has it, over reloads and without a network. Each draft has a
 * place of its own, so that tabs do not overwrite each other's, and is sent as its owner or not at all.
 */
export class Drafts {
  all: readonly Draft[];

  constructor(
    private readonly client: Client,
    private readonly owner: string,
    private readonly handlers: DraftsHandlers,
  ) {
    this.all = draftsOf(owner);
    globalThis.addEventListener('online', this.#retryAll);
    globalThis.addEventListener('storage', this.#changedElsewhere);
    this.#retryAll();
  }

  close(): void {
    globalThis.removeEventListener('online', this.#retryAll);
    globalThis.removeEventListener('storage', this.#changedElsewhere);
    this.all = [];
  }

  add(draft: Pick<Draft, 'kind' | 'account' | 'body' | 'typed'>): void {
    const added: Draft = { ...draft, key: newKey(), at: Date.now(), state: 'saving' };
    this.all = [added, ...this.all];
    this.#keep(added);
    void this.send(added.key);
  }

  /** The drafts on an account; without one, all. */
  of(account: string | undefined): readonly Draft[] {
    return account ? this.all.filter((draft) => draft.account === account) : this.all;
  }

  discard(key: string): void {
    this.all = this.all.filter((draft) => draft.key !== key);
    forget(place(this.owner) + key);
    this.handlers.changed();
  }

  async send(key: string, tries = 0): Promise<void> {
    const draft = this.all.find((one) => one.key === key);
    if (!draft) return;
    this.#change(key, { state: 'saving' });
    try {
      const receipt = await this.client.write(draft.kind, draft.account, draft.body, key, this.owner);
      await this.handlers.written(receipt.event_id);
      this.discard(key);
    } catch (error) {
      this.#notSent(key, error, tries);
    }
  }

  #notSent(key: string, error: unknown, tries: number): void {
    if (error instanceof ApiError && error.status === 401) {
      this.#change(key, { state: 'waiting' });
      return this.handlers.signedOut();
    }
    if (!(error instanceof ApiError)) throw error;
    this.#change(key, { state: error.isTransient ? 'waiting' : 'failed', error: error.message });
    const wait = Math.max(1000 * (error.retryAfter ?? 0), Math.min(MAX_DELAY, 1000 * 2 ** tries));
    if (error.isTransient) this.#sendLater(key, wait, tries + 1);
  }

  #sendLater(key: string, wait: number, tries = 0): void {
    const isWaiting = () => this.all.some((one) => one.key === key && one.state === 'waiting');
    setTimeout(() => isWaiting() && void this.send(key, tries), wait);
  }

  readonly #retryAll = () => {
    for (const draft of this.all) if (draft.state !== 'failed') void this.send(draft.key);
  };

  /** Follow what other tabs of the same person wrote, sent or discarded; they may close before they sent. */
  readonly #changedElsewhere = ({ key: name, newValue }: StorageEvent) => {
    if (!name?.startsWith(place(this.owner))) return;
    const key = name.slice(place(this.owner).length);
    const others = this.all.filter((draft) => draft.key !== key);
    const draft = newValue && (JSON.parse(newValue) as Draft);
    this.all = draft
      ? byAge([...others, draft.state === 'saving' ? { ...draft, state: 'waiting' } : draft])
      : others;
    if (draft) this.#sendLater(key, MAX_DELAY);
    this.handlers.changed();
  };

  #change(key: string, change: Partial<Draft>): void {
    this.all = this.all.map((draft) => (draft.key === key ? { ...draft, ...change } : draft));
    const changed = this.all.find((draft) => draft.key === key);
    if (changed) this.#keep(changed);
  }

  #keep(draft: Draft): void {
    keep(place(this.owner) + draft.key, draft);
    this.handlers.changed();
  }
}
