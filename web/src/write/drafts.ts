import { ApiError, type CallDraft, type Client, type CommentDraft, type NoteDraft } from '../api/client.js';

/** Something a person wrote that the log has not confirmed yet. Its key makes every retry the same write. */
export interface Draft {
  key: string;
  account: string;
  kind: 'note' | 'call' | 'comment';
  body: NoteDraft & CallDraft & CommentDraft;
  state: 'saving' | 'waiting' | 'failed';
  error?: string;
}

const MAX_DELAY = 30_000;

/** A random UUID; unlike crypto.randomUUID it also exists without https. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Stores what was written until the log has it, over reloads and without a network. */
export class Drafts {
  all: readonly Draft[] = [];

  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly changed: () => void,
    private readonly written: (eventId: string) => Promise<void>,
  ) {
    try {
      this.all = JSON.parse(localStorage.getItem(name) ?? '[]') as Draft[];
    } catch {
      this.all = []; // storage forbidden or damaged: nothing to restore
    }
    globalThis.addEventListener('online', this.#retryAll);
    this.#retryAll();
  }

  close(): void {
    globalThis.removeEventListener('online', this.#retryAll);
  }

  add(kind: Draft['kind'], account: string, body: Draft['body']): void {
    const draft: Draft = { key: newKey(), kind, account, body, state: 'saving' };
    this.#set([draft, ...this.all]);
    void this.send(draft.key);
  }

  /** The drafts on an account; without one, all. */
  of(account: string | undefined): readonly Draft[] {
    return account ? this.all.filter((draft) => draft.account === account) : this.all;
  }

  discard(key: string): void {
    this.#set(this.all.filter((draft) => draft.key !== key));
  }

  async send(key: string, tries = 0): Promise<void> {
    const draft = this.all.find((one) => one.key === key);
    if (!draft) return;
    this.#change(key, { state: 'saving' });
    try {
      const write = { note: this.client.addNote, call: this.client.logCall, comment: this.client.addComment }[
        draft.kind
      ];
      const receipt = await write.call(this.client, draft.account, draft.body, key);
      await this.written(receipt.event_id);
      this.discard(key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#change(key, { state: error.isTransient ? 'waiting' : 'failed', error: error.message });
      const wait = Math.max(1000 * (error.retryAfter ?? 0), Math.min(MAX_DELAY, 1000 * 2 ** tries));
      if (error.isTransient)
        setTimeout(
          () =>
            this.all.some((one) => one.key === key && one.state === 'waiting') &&
            void this.send(key, tries + 1),
          wait,
        );
    }
  }

  readonly #retryAll = () => {
    for (const draft of this.all) if (draft.state !== 'failed') void this.send(draft.key);
  };

  #change(key: string, change: Partial<Draft>): void {
    this.#set(this.all.map((draft) => (draft.key === key ? { ...draft, ...change } : draft)));
  }

  #set(all: readonly Draft[]): void {
    this.all = all;
    try {
      localStorage.setItem(this.name, JSON.stringify(all));
    } catch {
      // storage forbidden or full: the draft lives as long as the page
    }
    this.changed();
  }
}
