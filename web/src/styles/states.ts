import { css } from 'lit';

/** What stands in place of rows: the end, an empty feed, a failure, a skeleton. */
export const states = css`
  .after:focus {
    outline: none;
  }
  .end {
    padding: 22px 0;
    text-align: center;
    color: var(--soft);
  }
  .state {
    display: grid;
    justify-items: center;
    gap: 10px;
    max-width: 520px;
    margin: 0 auto;
    padding: 56px 12px;
    text-align: center;
    color: var(--soft);
  }
  .state > .icon {
    width: 34px;
    height: 34px;
    stroke-width: 1.5;
  }
  .state-title {
    color: var(--text);
    font-size: 16px;
    font-weight: 600;
  }
  .state pre {
    max-width: 100%;
    white-space: pre;
  }
  .skeleton {
    animation: appear 1ms 150ms both;
  }
  .skeleton .row::before {
    display: none;
  }
  .bone {
    display: block;
    height: 12px;
    margin-top: 8px;
    border-radius: 6px;
    background: var(--line);
    animation: pulse 1.4s ease-in-out infinite alternate;
  }
  .bone.round {
    width: 28px;
    height: 28px;
    margin: 0;
    border-radius: 50%;
  }
  .bone.long-0 {
    width: 72%;
  }
  .bone.long-1 {
    width: 54%;
  }
  .bone.long-2 {
    width: 64%;
  }
  .bone.short {
    width: 44px;
  }
  @keyframes appear {
    from {
      opacity: 0;
    }
  }
  @keyframes pulse {
    to {
      opacity: 0.45;
    }
  }
`;
