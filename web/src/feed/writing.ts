import { nothing, type TemplateResult } from 'lit';
import { ApiError, type Client, type Writing as Kind } from '../api/client.js';
import type { Correct } from '../panel/amend.js';
import type { Context } from '../view/context.js';
import { compose } from '../write/compose.js';
import { draftRows } from '../write/draft-rows.js';
import { Drafts, type Draft, type DraftsHandlers } from '../write/drafts.js';
import { TypedForms } from '../write/typed.js';
import { focusOn, focusOpener, type FocusableFeed } from './focus.js';
import type { Visit } from './visit.js';

/** What writing needs of the feed that it writes in. */
export interface WritableFeed extends FocusableFeed {
  requestUpdate(): void;
}

/** Writing in a feed as one person: the open form, what is typed in it, and what is not sent yet. */
export class Writing {
  private readonly owner: string;
  readonly #forms: TypedForms;
  readonly #drafts: Drafts;

  constructor(
    private readonly feed: WritableFeed,
    private readonly client: Client,
    { owner, scope }: Visit,
    private readonly handlers: Omit<DraftsHandlers, 'changed'>,
  ) {
    this.owner = owner;
    this.#forms = new TypedForms(owner, scope);
    this.#drafts = new Drafts(client, owner, { ...handlers, changed: () => feed.requestUpdate() });
  }

  open(kind: Kind): void {
    this.#forms.open = kind;
    this.feed.requestUpdate();
    void focusOn(this.feed, '.compose input, .compose textarea');
  }

  /** Close the form, which keeps what is typed in it; return whether one was open. */
  close(): boolean {
    const { open } = this.#forms;
    if (!open) return false;
    this.#forms.open = undefined;
    this.feed.requestUpdate();
    void focusOpener(this.feed, open);
    return true;
  }

  readonly correct: Correct = async (eventId, correction, key) => {
    try {
      return await this.client.correct(eventId, correction, key, this.owner);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.handlers.signedOut();
      throw error;
    }
  };

  end(): void {
    this.#drafts.close();
  }

  form(context: Context): TemplateResult | typeof nothing {
    const kind = this.#forms.open;
    if (!kind) return nothing;
    const done = () => {
      this.#forms.set(kind, {});
      this.close();
    };
    const save = (account: string, body: Draft['body']) => {
      const about = context.filters.contact && { contact_id: context.filters.contact };
      this.#drafts.add({ kind, account, body: { ...body, ...about }, typed: this.#forms.of(kind) });
      done();
    };
    const type = (typed: Draft['typed']) => this.#forms.set(kind, typed);
    return compose(kind, { typed: this.#forms.of(kind), type, save, discard: done }, context);
  }

  rows(context: Context): TemplateResult | typeof nothing {
    const edit = (draft: Draft) => {
      this.#forms.set(draft.kind, draft.typed);
      this.#drafts.discard(draft.key);
      this.open(draft.kind);
    };
    return draftRows(this.#drafts, edit, context);
  }
}
