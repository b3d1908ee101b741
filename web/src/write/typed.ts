import type { Writing } from '../api/client.js';
import { keep, kept } from '../view/remembered.js';

/** The fields of a form as they are filled in. */
export type Typed = Readonly<Record<string, string>>;

interface Forms {
  open?: Writing | undefined;
  typed: Partial<Record<Writing, Typed>>;
}

/**
 * The forms of one person in one feed: which one is open, and what is typed into each and not saved yet. They
 * live in their tab, over a reload and a new sign-in: closing a form loses nothing.
 */
export class TypedForms {
  readonly #place: string;
  #forms: Forms;

  constructor(owner: string, scope: string) {
    this.#place = `activity typed ${owner} ${encodeURIComponent(scope)}`;
    this.#forms = kept<Forms>(this.#place, 'sessionStorage').get(this.#place) ?? { typed: {} };
  }

  get open(): Writing | undefined {
    return this.#forms.open;
  }

  set open(open: Writing | undefined) {
    this.#keep({ ...this.#forms, open });
  }

  of(kind: Writing): Typed {
    return this.#forms.typed[kind] ?? {};
  }

  set(kind: Writing, typed: Typed): void {
    this.#keep({ ...this.#forms, typed: { ...this.#forms.typed, [kind]: typed } });
  }

  #keep(forms: Forms): void {
    this.#forms = forms;
    keep(this.#place, forms, 'sessionStorage');
  }
}
