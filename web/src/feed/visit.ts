import { callerOf, ownerOf } from '../api/owner.js';
import type { Session } from '../api/wire.js';
import { seenBefore, setSeen } from '../view/remembered.js';

/** One person's visit of a feed, and the number of the newest event that they saw in it before. */
export class Visit {
  readonly owner: string;
  /** Whose stream may be shared with other tabs. */
  readonly caller: string;
  readonly #lastSeen: number;

  constructor(
    base: string,
    session: Session,
    readonly scope: string,
    private readonly newest: number,
  ) {
    this.owner = ownerOf(base, session);
    this.caller = callerOf(base, session);
    this.#lastSeen = seenBefore(this.owner, scope);
  }

  /** Whether an event came between the visit before and this one. */
  isUnseen(seq: number): boolean {
    return this.#lastSeen > 0 && seq > this.#lastSeen && seq <= this.newest;
  }

  leave(newestSeq: number): void {
    setSeen(this.owner, this.scope, Math.max(this.#lastSeen, newestSeq));
  }
}
