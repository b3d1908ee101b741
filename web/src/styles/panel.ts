import { css } from 'lit';

/** One event in full. */
export const panel = css`
  .panel {
    border: 1px solid var(--line);
    border-radius: 12px;
    padding: 10px 16px 20px;
    background: var(--ground);
    color: var(--text);
  }
  section.panel {
    position: sticky;
    top: 12px;
    max-height: calc(100vh - 24px);
    overflow: auto;
  }
  dialog.panel {
    width: min(460px, 100vw);
    height: 100dvh;
    max-width: none;
    max-height: none;
    margin: 0 0 0 auto;
    border-width: 0 0 0 1px;
    border-radius: 0;
  }
  activity-amend .buttons {
    display: flex;
    gap: 8px;
    margin: 12px 0;
  }
  .amend,
  .amend label {
    display: grid;
    gap: 6px;
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 35%);
  }
  .panel > header {
    position: sticky;
    top: -10px;
    z-index: 2;
    display: flex;
    gap: 2px;
    margin: -10px -8px 8px;
    padding: 8px 0;
    background: var(--ground);
  }
  .panel-title {
    display: grid;
    grid-template-columns: 28px 1fr;
    gap: 10px;
  }
  .panel h2 {
    font-size: 16px;
  }
  .panel h2:focus {
    outline: none;
  }
  .panel h2:focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 3px;
    border-radius: 3px;
  }
  .panel h3 {
    display: flex;
    align-items: center;
    gap: 4px;
    margin: 18px 0 6px;
  }
  .panel .state {
    padding: 28px 0;
  }
  blockquote {
    margin-top: 14px;
    padding: 8px 12px;
    border-left: 3px solid var(--amber);
    background: var(--raised);
    border-radius: 0 8px 8px 0;
    white-space: pre-wrap;
  }
  .facts {
    display: grid;
    grid-template-columns: minmax(72px, auto) minmax(0, 1fr);
    gap: 6px 14px;
    margin-top: 14px;
  }
  .facts dt {
    color: var(--soft);
  }
  .facts small {
    display: block;
  }
  .facts button.bare {
    min-width: 24px;
    min-height: 24px;
    padding: 2px;
    margin: -3px 0;
  }
  .times-table dd {
    font-variant-numeric: tabular-nums;
  }
  .envelope {
    padding-top: 14px;
    border-top: 1px solid var(--line);
    font-size: 12px;
  }
  .deep {
    margin-left: 6px;
    white-space: nowrap;
    font-size: 12px;
  }
  .deep .icon {
    width: 12px;
    height: 12px;
    margin-left: 3px;
    vertical-align: -1px;
  }
  table {
    width: 100%;
    border-collapse: collapse;
  }
  th,
  td {
    padding: 5px 8px 5px 0;
    border-bottom: 1px solid var(--line);
    text-align: left;
    vertical-align: top;
    font-weight: 400;
  }
  th {
    color: var(--soft);
  }
  .chain li {
    display: grid;
    grid-template-columns: 28px 1fr;
    gap: 10px;
    padding: 4px 0;
  }
  .chain small {
    display: block;
  }
  .tree > div {
    display: grid;
    grid-template-columns: minmax(60px, 34%) minmax(0, 1fr);
    gap: 10px;
    padding: 2px 0;
  }
  .tree > .nested {
    display: block;
  }
  .tree .tree {
    padding-left: 12px;
    border-left: 1px solid var(--line);
  }
  .tree dt {
    color: var(--soft);
  }
  .json-string {
    white-space: pre-wrap;
  }
  .json-number,
  .json-boolean {
    color: var(--blue);
  }
  .json-null {
    color: var(--soft);
  }
  summary {
    min-height: 24px;
    cursor: pointer;
    color: var(--soft);
  }
  details pre {
    margin-top: 6px;
    max-height: 320px;
  }
`;
