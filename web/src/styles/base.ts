import { css } from 'lit';

/**
 * Colours, type, and the controls that stand everywhere. Colours are tokens: a host page sets
 * --activity-accent and --activity-font.
 */
export const base = css`
  :host {
    --accent: var(--activity-accent, light-dark(#2456d6, #8fb0ff));
    --on-accent: light-dark(#fff, #0d1524);
    --ground: light-dark(#fff, #14171c);
    --raised: light-dark(#f6f7f9, #1d2128);
    --hover: light-dark(#f1f4fa, #1f2530);
    --line: light-dark(#dfe3ea, #303743);
    --edge: light-dark(#7c8594, #7f8a9c);
    --text: light-dark(#1a1f27, #e8ebf0);
    --soft: light-dark(#545d6b, #a9b2c0);
    --blue: light-dark(#1d4fc4, #8fb0ff);
    --green: light-dark(#1a6b3a, #7bd99b);
    --amber: light-dark(#8a5200, #f0bd6a);
    --violet: light-dark(#6b35b8, #c6a4ff);
    --teal: light-dark(#0b6670, #6ed3df);
    --red: light-dark(#b3261e, #ff9d94);
    --grey: light-dark(#545d6b, #b4bcc9);
    display: block;
    font: 14px/1.45 var(--activity-font, system-ui, sans-serif);
    color: var(--text);
    background: var(--ground);
    overflow-wrap: anywhere;
  }
  :host([hidden]),
  .sprite {
    display: none;
  }
  * {
    box-sizing: border-box;
  }
  h2,
  h3,
  p,
  ul,
  dl,
  dd,
  blockquote {
    margin: 0;
    padding: 0;
  }
  h1,
  h2 {
    margin: 0;
    font-size: 20px;
    line-height: 1.3;
  }
  ul {
    list-style: none;
  }
  a {
    color: var(--accent);
  }
  .icon {
    width: 16px;
    height: 16px;
    flex: none;
    fill: none;
    stroke: currentColor;
    stroke-width: 2;
    stroke-linecap: round;
    stroke-linejoin: round;
    vertical-align: -3px;
  }
  .sr {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .faint,
  small {
    color: var(--soft);
    font-size: 12px;
    font-weight: 400;
  }
  .space {
    flex: 1;
  }
  code,
  pre,
  kbd {
    font:
      12px/1.5 ui-monospace,
      monospace;
  }
  pre {
    margin: 0;
    padding: 10px 12px;
    background: var(--raised);
    border: 1px solid var(--line);
    border-radius: 8px;
    overflow: auto;
    white-space: pre-wrap;
    text-align: left;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }

  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    min-height: 32px;
    padding: 4px 12px;
    background: var(--ground);
    border: 1px solid var(--edge);
    border-radius: 8px;
    cursor: pointer;
  }
  button:hover {
    background: var(--hover);
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.bare {
    min-width: 28px;
    min-height: 28px;
    padding: 4px;
    border-color: transparent;
    background: none;
    color: var(--soft);
  }
  button.bare:hover,
  button.bare[aria-expanded='true'] {
    background: var(--hover);
    color: var(--text);
  }
  button.link {
    border: 0;
    background: none;
    color: var(--accent);
    padding: 4px 6px;
    text-decoration: underline;
  }
  button.down .icon {
    transform: rotate(180deg);
  }
  input,
  select,
  textarea {
    width: 100%;
    min-height: 34px;
    padding: 5px 9px;
    background: var(--ground);
    border: 1px solid var(--edge);
    border-radius: 8px;
  }
  input[type='checkbox'] {
    width: 18px;
    min-height: 18px;
    accent-color: var(--accent);
  }
  label {
    display: grid;
    gap: 4px;
    color: var(--soft);
    font-size: 13px;
  }
  label input,
  label select,
  label textarea {
    color: var(--text);
    font-size: 14px;
  }
  label.check {
    display: flex;
    align-items: center;
    gap: 8px;
    min-height: 28px;
    color: var(--text);
  }
`;
