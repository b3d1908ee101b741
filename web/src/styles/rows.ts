import { css } from 'lit';

/** The list and its rows. */
export const rows = css`
  .feed {
    overflow-anchor: none;
    padding-top: 4px;
  }
  .group {
    content-visibility: auto;
    padding: 0 4px;
    margin: 0 -4px;
  }
  .day,
  h3 {
    margin: 20px 0 4px;
    font-size: 13px;
    font-weight: 600;
    color: var(--soft);
  }
  .since {
    display: flex;
    align-items: center;
    gap: 10px;
    color: var(--accent);
    font-size: 12px;
  }
  .since::before,
  .since::after {
    content: '';
    flex: 1;
    border-top: 1px solid var(--accent);
  }
  del {
    color: var(--soft);
  }
  .was,
  .fate {
    color: var(--soft);
    font-size: 13px;
  }
  article.unseen {
    box-shadow: inset 3px 0 var(--accent);
  }
  article {
    border-radius: 8px;
    scroll-margin: 96px 0 16px;
  }
  article:focus {
    outline: none;
  }
  article:focus-visible .row {
    outline: 2px solid var(--accent);
    outline-offset: -2px;
  }
  .row {
    position: relative;
    display: grid;
    grid-template-columns: 28px minmax(0, 1fr) auto 52px;
    align-items: start;
    gap: 2px 10px;
    min-height: 40px;
    padding: 6px 8px;
    border-radius: 8px;
    cursor: pointer;
  }
  .row::before {
    content: '';
    position: absolute;
    left: 21px;
    top: 38px;
    bottom: -6px;
    width: 2px;
    background: var(--line);
  }
  .group article:last-child .row::before {
    display: none;
  }
  .row:hover {
    background: var(--hover);
  }
  .open .row {
    background: var(--hover);
    box-shadow: inset 3px 0 var(--accent);
  }
  .badge {
    z-index: 1;
    display: grid;
    place-items: center;
    width: 28px;
    height: 28px;
    border-radius: 50%;
    color: var(--tone, var(--grey));
    background: color-mix(in srgb, var(--tone, var(--grey)) 13%, var(--ground));
  }
  .badge .icon {
    width: 15px;
    height: 15px;
    vertical-align: 0;
  }
  .tone-blue {
    --tone: var(--blue);
  }
  .tone-green {
    --tone: var(--green);
  }
  .tone-amber {
    --tone: var(--amber);
  }
  .tone-violet {
    --tone: var(--violet);
  }
  .tone-teal {
    --tone: var(--teal);
  }
  .tone-red {
    --tone: var(--red);
  }
  .tone-grey {
    --tone: var(--grey);
  }
  .text {
    padding-top: 4px;
  }
  .sentence {
    color: var(--text);
    text-decoration: none;
  }
  .sentence b {
    font-weight: 600;
  }
  .actor {
    color: var(--soft);
  }
  .times {
    min-width: 28px;
    min-height: 24px;
    padding: 0 6px;
    margin: -2px 0 -2px 4px;
    border-color: var(--line);
    border-radius: 99px;
    background: var(--raised);
    font-size: 12px;
    font-variant-numeric: tabular-nums;
  }
  .later {
    display: inline-flex;
    align-items: center;
    gap: 4px;
    margin-left: 4px;
    color: var(--amber);
    font-size: 12px;
    white-space: nowrap;
  }
  .later .icon {
    width: 13px;
    height: 13px;
    vertical-align: 0;
  }
  .chips {
    display: flex;
    flex-wrap: wrap;
    justify-content: end;
    gap: 4px;
    max-width: 260px;
    padding-top: 2px;
  }
  time {
    font-variant-numeric: tabular-nums;
  }
  .row time {
    padding-top: 5px;
    text-align: right;
    color: var(--soft);
    font-size: 12px;
    line-height: 18px;
    white-space: nowrap;
  }
  .draft .row {
    opacity: 0.85;
    cursor: default;
  }
  .draft .text {
    grid-column: 2 / 5;
  }
  .draft button {
    grid-column: 2;
    justify-self: start;
  }
  .fresh .row {
    animation: fresh 600ms ease-out;
  }
  @keyframes fresh {
    from {
      background: color-mix(in srgb, var(--accent) 28%, transparent);
    }
  }
`;
