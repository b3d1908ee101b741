import { css } from 'lit';

/** What lies above the feed, and how all of it adapts to the screen and its reader. */
export const overlays = css`
  dialog.help {
    max-width: min(440px, 92vw);
    padding: 20px;
    border: 1px solid var(--line);
    border-radius: 12px;
    background: var(--ground);
    color: var(--text);
  }
  .help form {
    margin-top: 16px;
  }
  kbd {
    padding: 1px 5px;
    border: 1px solid var(--line);
    border-radius: 4px;
    background: var(--raised);
    white-space: nowrap;
  }
  .toast {
    position: fixed;
    left: 50%;
    bottom: 20px;
    z-index: 5;
    transform: translateX(-50%);
    padding: 8px 16px;
    border-radius: 8px;
    background: var(--text);
    color: var(--ground);
  }
  .toast:empty {
    display: none;
  }

  @media (max-width: 639px) {
    .row {
      grid-template-columns: 28px auto minmax(0, 1fr);
    }
    .text {
      grid-column: 2 / 4;
    }
    .row time {
      grid-area: 2 / 2;
      padding-top: 3px;
      text-align: left;
    }
    .chips {
      grid-area: 2 / 3;
      justify-content: start;
      max-width: none;
      padding: 0;
    }
    dialog.panel {
      width: 100vw;
      border: 0;
    }
    .head {
      gap: 8px;
    }
  }
  @media (max-height: 400px) {
    .bar,
    .pill-place {
      position: static;
    }
    .pill-place {
      height: auto;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .fresh .row,
    .bone {
      animation: none;
    }
    .fresh .row {
      box-shadow: inset 3px 0 var(--accent);
    }
  }
  @media (forced-colors: active) {
    .badge,
    .pill,
    .count {
      border: 1px solid;
    }
    .row::before {
      background: CanvasText;
    }
    .open .row {
      outline: 2px solid Highlight;
    }
  }
`;
