import type { LitElement, ReactiveController } from 'lit';

const WIDE = 1100; // px of the element from which the panel stands beside the feed
const TICK = 30_000; // ms between updates of relative times

/** The time and the width of an element, which is drawn again when they change. */
export class Surroundings implements ReactiveController {
  now = Date.now();
  isWide = false;
  #clock: ReturnType<typeof setInterval> | undefined;
  readonly #sizes = new ResizeObserver(([entry]) => this.#set({ isWide: entry!.contentRect.width >= WIDE }));

  constructor(private readonly host: LitElement) {
    host.addController(this);
  }

  hostConnected(): void {
    this.#sizes.observe(this.host);
    this.#clock = setInterval(() => document.hidden || this.#set({ now: Date.now() }), TICK);
  }

  hostDisconnected(): void {
    this.#sizes.disconnect();
    clearInterval(this.#clock);
  }

  #set(change: { now: number } | { isWide: boolean }): void {
    Object.assign(this, change);
    this.host.requestUpdate();
  }
}

/** Calls `reached` when the button that loads more comes near the visible part of an element. */
export class NearEnd implements ReactiveController {
  readonly #ends: IntersectionObserver;

  constructor(
    private readonly host: LitElement,
    reached: () => void,
  ) {
    const near = (all: IntersectionObserverEntry[]) => all.some((one) => one.isIntersecting) && reached();
    this.#ends = new IntersectionObserver(near, { rootMargin: '600px' });
    host.addController(this);
  }

  hostUpdated(): void {
    this.#ends.disconnect();
    const more = this.host.renderRoot.querySelector('.more');
    if (more) this.#ends.observe(more);
  }

  hostDisconnected(): void {
    this.#ends.disconnect();
  }
}
