/** Where the reader is: which row stands at the top of what is visible, and keeping it there. */

const rowsOf = (root: ParentNode) => [...root.querySelectorAll<HTMLElement>('article[data-id]')];

/** The edge that rows scroll under: the window's, or that of the nearest box that scrolls. */
function upperEdge(list: HTMLElement): number {
  const box = scrollerOf(list);
  return box ? Math.max(0, box.getBoundingClientRect().top) : 0;
}

function scrollerOf(from: Element): HTMLElement | undefined {
  const parent = from.parentElement ?? (from.getRootNode() as ShadowRoot).host;
  if (!(parent instanceof HTMLElement) || parent === document.documentElement || parent === document.body)
    return undefined;
  return /auto|scroll/.test(getComputedStyle(parent).overflowY) && parent.scrollHeight > parent.clientHeight
    ? parent
    : scrollerOf(parent);
}

/** The first row that is at least partly visible. */
export function topRow(list: HTMLElement): HTMLElement | undefined {
  const edge = upperEdge(list);
  const rows = rowsOf(list);
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.getBoundingClientRect().bottom <= edge) low = middle + 1;
    else high = middle;
  }
  return rows[low];
}

/** Whether the list is being read: it is scrolled, a row has the focus, or text in it is selected. */
export function isReading(list: HTMLElement, focused: Element | null): boolean {
  const selection = getSelection();
  const isSelecting =
    !!selection &&
    !selection.isCollapsed &&
    list.getRootNode() instanceof ShadowRoot &&
    selection.toString() !== '' &&
    hostHas(list, selection);
  return list.getBoundingClientRect().top < upperEdge(list) - 1 || list.contains(focused) || isSelecting;
}

function hostHas(list: HTMLElement, selection: Selection): boolean {
  const host = (list.getRootNode() as ShadowRoot).host;
  return selection.containsNode(host, true);
}

/** Change the list by `change` so that the row at the top of what is visible stays where it is. */
export async function keepPlace(list: HTMLElement | null, change: () => Promise<unknown>): Promise<void> {
  const anchor = list && list.getBoundingClientRect().top < upperEdge(list) ? topRow(list) : undefined;
  const before = anchor?.getBoundingClientRect().top ?? 0;
  await change();
  const moved = anchor?.isConnected ? anchor.getBoundingClientRect().top - before : 0;
  if (list && Math.abs(moved) >= 1)
    (scrollerOf(list) ?? globalThis).scrollBy({ top: moved, behavior: 'instant' });
}
