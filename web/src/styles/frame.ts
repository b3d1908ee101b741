import { css } from 'lit';

/** What stands around the list: head, tabs, filters, forms. */
export const frame = css`
  .layout {
    display: grid;
    grid-template-columns: minmax(0, 880px);
    justify-content: center;
    gap: 28px;
  }
  .layout.with-panel {
    grid-template-columns: minmax(0, 880px) 420px;
  }
  slot[name='above'] {
    display: block;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 10px;
    padding: 4px 0 12px;
  }
  .status {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    padding: 2px 9px;
    border: 1px solid var(--line);
    border-radius: 99px;
    color: var(--soft);
    font-size: 12px;
  }
  .status i {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--edge);
  }
  .status.live i {
    background: var(--green);
  }
  .status.reconnecting i,
  .status.connecting i {
    background: var(--amber);
  }
  .status.offline i,
  .status.stopped i {
    background: var(--red);
  }
  .banner {
    display: flex;
    gap: 8px;
    align-items: center;
    margin-bottom: 12px;
    padding: 9px 12px;
    border: 1px solid var(--amber);
    border-radius: 8px;
    color: var(--amber);
  }

  .bar {
    position: sticky;
    top: 0;
    z-index: 2;
    display: flex;
    align-items: end;
    gap: 8px;
    background: var(--ground);
    border-bottom: 1px solid var(--line);
  }
  .tabs {
    display: flex;
    flex: 1;
    gap: 2px;
    overflow-x: auto;
    scrollbar-width: thin;
  }
  .tabs button {
    flex: none;
    border: 0;
    border-bottom: 2px solid transparent;
    border-radius: 6px 6px 0 0;
    padding: 6px 10px;
    min-height: 38px;
    background: none;
    color: var(--soft);
    outline-offset: -2px;
  }
  .tabs button:hover {
    background: var(--hover);
  }
  .tabs button[aria-selected='true'] {
    color: var(--text);
    border-color: var(--accent);
    font-weight: 600;
  }
  .count {
    margin-left: 3px;
    padding: 1px 6px;
    border-radius: 99px;
    background: var(--raised);
    color: var(--soft);
    font-size: 12px;
    font-weight: 400;
    font-variant-numeric: tabular-nums;
  }
  .tools {
    position: relative;
    display: flex;
    padding-bottom: 4px;
  }
  .popover {
    position: absolute;
    top: 100%;
    right: 0;
    z-index: 3;
    display: grid;
    gap: 10px;
    width: min(300px, 86vw);
    padding: 14px;
    background: var(--ground);
    border: 1px solid var(--line);
    border-radius: 10px;
    box-shadow: 0 8px 28px rgb(0 0 0 / 18%);
  }
  .buttons {
    display: flex;
    gap: 8px;
  }
  .filters {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px;
    padding: 8px 0 2px;
  }
  .chip {
    display: inline-flex;
    align-items: center;
    max-width: 220px;
    padding: 1px 8px;
    border: 1px solid var(--line);
    border-radius: 99px;
    background: var(--raised);
    color: var(--soft);
    font-size: 12px;
    line-height: 22px;
    text-decoration: none;
  }
  .filters .chip {
    max-width: 100%;
    color: var(--text);
  }
  a.chip:hover {
    color: var(--accent);
    border-color: var(--accent);
  }
  .filters .chip button {
    min-width: 24px;
    min-height: 24px;
    padding: 0;
    margin: 0 -6px 0 2px;
  }
  .compose {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(170px, 1fr));
    gap: 10px;
    margin-bottom: 14px;
    padding: 14px;
    border: 1px solid var(--line);
    border-radius: 10px;
    background: var(--raised);
  }
  .compose .wide,
  .compose .buttons {
    grid-column: 1 / -1;
  }

  .pill-place {
    position: sticky;
    top: 46px;
    z-index: 1;
    height: 0;
    text-align: center;
  }
  .pill {
    margin-top: 8px;
    border-radius: 99px;
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
    box-shadow: 0 3px 12px rgb(0 0 0 / 25%);
  }
  .pill:hover {
    background: var(--accent);
    text-decoration: underline;
  }
`;
