/** What focus needs of the feed that it moves in. */
export interface FocusableFeed {
  readonly renderRoot: ParentNode;
  readonly updateComplete: Promise<boolean>;
}

/** Where the focus was taken away with what had it, give it to what opened that. */
export async function focusOpener(feed: FocusableFeed, opened: string): Promise<void> {
  await feed.updateComplete;
  if (document.activeElement === document.body)
    feed.renderRoot.querySelector<HTMLElement>(`[data-opens=${opened}]`)?.focus();
}

/** Give the focus to the first such element, once it is drawn. */
export async function focusOn(feed: FocusableFeed, selector: string): Promise<void> {
  await feed.updateComplete;
  feed.renderRoot.querySelector<HTMLElement>(selector)?.focus();
}
