/** What keys can do in a feed. */
export interface Actions {
  move(by: number, edge?: boolean): void;
  openCurrent(): void;
  close(): boolean;
  step(by: number): void;
  showNew(): void;
  filter(): void;
  tab(n: number): void;
  note(): void;
  copyLink(): void;
  backToAll(): void;
  help(): void;
  leave(forward: boolean): void;
}

const typesText = (target: EventTarget | undefined) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

/**
 * Run the action of a key. Single keys can be turned off, and do nothing with a modifier or where text is
 * typed; arrows and Enter work on rows.
 */
export function handleKey(event: KeyboardEvent, actions: Actions, singleKeys: boolean): void {
  const target = event.composedPath()[0];
  if (event.defaultPrevented || event.altKey || event.metaKey) return;
  if (event.key === 'Escape') return actions.close() ? event.preventDefault() : undefined;
  if (typesText(target)) return;
  const onRow = target instanceof HTMLElement && target.matches('article[data-id]');
  const act =
    (onRow ? rowKey(event, actions) : undefined) ??
    (singleKeys && !event.ctrlKey ? singleKey(event.key, actions) : undefined);
  if (!act) return;
  event.preventDefault();
  act();
}

function rowKey({ key, ctrlKey }: KeyboardEvent, actions: Actions): (() => void) | undefined {
  if (ctrlKey) return { Home: () => actions.leave(false), End: () => actions.leave(true) }[key];
  return {
    ArrowDown: () => actions.move(1),
    ArrowUp: () => actions.move(-1),
    PageDown: () => actions.move(1),
    PageUp: () => actions.move(-1),
    Enter: () => actions.openCurrent(),
  }[key];
}

function singleKey(key: string, actions: Actions): (() => void) | undefined {
  if (/^[1-6]$/.test(key)) return () => actions.tab(Number(key) - 1);
  return {
    j: () => actions.move(1),
    k: () => actions.move(-1),
    o: () => actions.openCurrent(),
    '[': () => actions.step(-1),
    ']': () => actions.step(1),
    '.': () => actions.showNew(),
    '/': () => actions.filter(),
    n: () => actions.note(),
    c: () => actions.copyLink(),
    u: () => actions.backToAll(),
    '?': () => actions.help(),
  }[key];
}
