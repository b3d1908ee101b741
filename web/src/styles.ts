import { css } from 'lit';

/** The look of a feed. Colours are tokens: a host page changes them by setting --activity-accent and --activity-font. */
export const styles = css`
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
  :host([hidden]), .sprite { display: none; }
  * { box-sizing: border-box; }
  h2, h3, p, ul, dl, dd, blockquote { margin: 0; padding: 0; }
  h1, h2 { margin: 0; font-size: 20px; line-height: 1.3; }
  ul { list-style: none; }
  a { color: var(--accent); }
  .icon { width: 16px; height: 16px; flex: none; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; vertical-align: -3px; }
  .sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .faint, small { color: var(--soft); font-size: 12px; font-weight: 400; }
  .space { flex: 1; }
  code, pre, kbd { font: 12px/1.5 ui-monospace, monospace; }
  pre { margin: 0; padding: 10px 12px; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; overflow: auto; white-space: pre-wrap; text-align: left; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }

  button, input, select, textarea { font: inherit; color: inherit; }
  button { min-height: 32px; padding: 4px 12px; background: var(--ground); border: 1px solid var(--edge); border-radius: 8px; cursor: pointer; }
  button:hover { background: var(--hover); }
  button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
  button.bare { min-width: 28px; min-height: 28px; padding: 4px; border-color: transparent; background: none; color: var(--soft); }
  button.bare:hover, button.bare[aria-expanded='true'] { background: var(--hover); color: var(--text); }
  button.link { border: 0; background: none; color: var(--accent); padding: 4px 6px; text-decoration: underline; }
  button.down .icon { transform: rotate(180deg); }
  input, select, textarea { width: 100%; min-height: 34px; padding: 5px 9px; background: var(--ground); border: 1px solid var(--edge); border-radius: 8px; }
  input[type='checkbox'] { width: 18px; min-height: 18px; accent-color: var(--accent); }
  label { display: grid; gap: 4px; color: var(--soft); font-size: 13px; }
  label input, label select, label textarea { color: var(--text); font-size: 14px; }
  label.check { display: flex; align-items: center; gap: 8px; min-height: 28px; color: var(--text); }

  .layout { display: grid; grid-template-columns: minmax(0, 880px); justify-content: center; gap: 28px; }
  .layout.with-panel { grid-template-columns: minmax(0, 880px) 420px; }
  slot[name='above'] { display: block; }
  .head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 10px; padding: 4px 0 12px; }
  .status { display: inline-flex; align-items: center; gap: 6px; padding: 2px 9px; border: 1px solid var(--line); border-radius: 99px; color: var(--soft); font-size: 12px; }
  .status i { width: 8px; height: 8px; border-radius: 50%; background: var(--edge); }
  .status.live i { background: var(--green); }
  .status.reconnecting i, .status.connecting i { background: var(--amber); }
  .status.offline i, .status.stopped i { background: var(--red); }
  .banner { display: flex; gap: 8px; align-items: center; margin-bottom: 12px; padding: 9px 12px; border: 1px solid var(--amber); border-radius: 8px; color: var(--amber); }

  .bar { position: sticky; top: 0; z-index: 2; display: flex; align-items: end; gap: 8px; background: var(--ground); border-bottom: 1px solid var(--line); }
  .tabs { display: flex; flex: 1; gap: 2px; overflow-x: auto; scrollbar-width: thin; }
  .tabs button { flex: none; border: 0; border-bottom: 2px solid transparent; border-radius: 6px 6px 0 0; padding: 6px 10px; min-height: 38px; background: none; color: var(--soft); outline-offset: -2px; }
  .tabs button:hover { background: var(--hover); }
  .tabs button[aria-selected='true'] { color: var(--text); border-color: var(--accent); font-weight: 600; }
  .count { margin-left: 3px; padding: 1px 6px; border-radius: 99px; background: var(--raised); color: var(--soft); font-size: 12px; font-weight: 400; font-variant-numeric: tabular-nums; }
  .tools { position: relative; display: flex; padding-bottom: 4px; }
  .popover { position: absolute; top: 100%; right: 0; z-index: 3; display: grid; gap: 10px; width: min(300px, 86vw); padding: 14px; background: var(--ground); border: 1px solid var(--line); border-radius: 10px; box-shadow: 0 8px 28px rgb(0 0 0 / 18%); }
  .buttons { display: flex; gap: 8px; }
  .filters { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; padding: 8px 0 2px; }
  .chip { display: inline-flex; align-items: center; max-width: 220px; padding: 1px 8px; border: 1px solid var(--line); border-radius: 99px; background: var(--raised); color: var(--soft); font-size: 12px; line-height: 22px; text-decoration: none; }
  .filters .chip { max-width: 100%; color: var(--text); }
  a.chip:hover { color: var(--accent); border-color: var(--accent); }
  .filters .chip button { min-width: 24px; min-height: 24px; padding: 0; margin: 0 -6px 0 2px; }
  .compose { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 10px; margin-bottom: 14px; padding: 14px; border: 1px solid var(--line); border-radius: 10px; background: var(--raised); }
  .compose .wide, .compose .buttons { grid-column: 1 / -1; }

  .pill-place { position: sticky; top: 46px; z-index: 1; height: 0; text-align: center; }
  .pill { margin-top: 8px; border-radius: 99px; background: var(--accent); border-color: var(--accent); color: var(--on-accent); box-shadow: 0 3px 12px rgb(0 0 0 / 25%); }
  .pill:hover { background: var(--accent); text-decoration: underline; }
  .feed { overflow-anchor: none; padding-top: 4px; }
  .group { content-visibility: auto; padding: 0 4px; margin: 0 -4px; }
  .day, h3 { margin: 20px 0 4px; font-size: 13px; font-weight: 600; color: var(--soft); }
  .since { display: flex; align-items: center; gap: 10px; color: var(--accent); font-size: 12px; }
  .since::before, .since::after { content: ''; flex: 1; border-top: 1px solid var(--accent); }
  article { border-radius: 8px; scroll-margin: 96px 0 16px; }
  article:focus { outline: none; }
  article:focus-visible .row { outline: 2px solid var(--accent); outline-offset: -2px; }
  .row { position: relative; display: grid; grid-template-columns: 28px minmax(0, 1fr) auto 52px; align-items: start; gap: 2px 10px; min-height: 40px; padding: 6px 8px; border-radius: 8px; cursor: pointer; }
  .row::before { content: ''; position: absolute; left: 21px; top: 38px; bottom: -6px; width: 2px; background: var(--line); }
  .group article:last-child .row::before { display: none; }
  .row:hover { background: var(--hover); }
  .open .row { background: var(--hover); box-shadow: inset 3px 0 var(--accent); }
  .badge { z-index: 1; display: grid; place-items: center; width: 28px; height: 28px; border-radius: 50%; color: var(--tone, var(--grey)); background: color-mix(in srgb, var(--tone, var(--grey)) 13%, var(--ground)); }
  .badge .icon { width: 15px; height: 15px; vertical-align: 0; }
  .tone-blue { --tone: var(--blue); } .tone-green { --tone: var(--green); } .tone-amber { --tone: var(--amber); } .tone-violet { --tone: var(--violet); }
  .tone-teal { --tone: var(--teal); } .tone-red { --tone: var(--red); } .tone-grey { --tone: var(--grey); }
  .said { padding-top: 4px; }
  .sentence { color: var(--text); text-decoration: none; }
  .sentence b { font-weight: 600; }
  .actor { color: var(--soft); }
  .times { min-width: 28px; min-height: 24px; padding: 0 6px; margin: -2px 0 -2px 4px; border-color: var(--line); border-radius: 99px; background: var(--raised); font-size: 12px; font-variant-numeric: tabular-nums; }
  .later { display: inline-flex; align-items: center; gap: 4px; margin-left: 4px; color: var(--amber); font-size: 12px; white-space: nowrap; }
  .later .icon { width: 13px; height: 13px; vertical-align: 0; }
  .chips { display: flex; flex-wrap: wrap; justify-content: end; gap: 4px; max-width: 260px; padding-top: 2px; }
  time { font-variant-numeric: tabular-nums; }
  .row time { padding-top: 5px; text-align: right; color: var(--soft); font-size: 12px; line-height: 18px; white-space: nowrap; }
  .draft .row { opacity: 0.85; cursor: default; }
  .draft .said { grid-column: 2 / 5; }
  .draft button { grid-column: 2; justify-self: start; }
  .fresh .row { animation: fresh 600ms ease-out; }
  @keyframes fresh { from { background: color-mix(in srgb, var(--accent) 28%, transparent); } }

  .end { padding: 22px 0; text-align: center; color: var(--soft); }
  .state { display: grid; justify-items: center; gap: 10px; max-width: 520px; margin: 0 auto; padding: 56px 12px; text-align: center; color: var(--soft); }
  .state > .icon { width: 34px; height: 34px; stroke-width: 1.5; }
  .state-title { color: var(--text); font-size: 16px; font-weight: 600; }
  .state pre { max-width: 100%; white-space: pre; }
  .skeleton { animation: appear 1ms 150ms both; }
  .skeleton .row::before { display: none; }
  .bone { display: block; height: 12px; margin-top: 8px; border-radius: 6px; background: var(--line); animation: pulse 1.4s ease-in-out infinite alternate; }
  .bone.round { width: 28px; height: 28px; margin: 0; border-radius: 50%; }
  .bone.long-0 { width: 72%; } .bone.long-1 { width: 54%; } .bone.long-2 { width: 64%; }
  .bone.short { width: 44px; }
  @keyframes appear { from { opacity: 0; } }
  @keyframes pulse { to { opacity: 0.45; } }

  .panel { border: 1px solid var(--line); border-radius: 12px; padding: 10px 16px 20px; background: var(--ground); color: var(--text); }
  section.panel { position: sticky; top: 12px; max-height: calc(100vh - 24px); overflow: auto; }
  dialog.panel { width: min(460px, 100vw); height: 100dvh; max-width: none; max-height: none; margin: 0 0 0 auto; border-width: 0 0 0 1px; border-radius: 0; }
  dialog::backdrop { background: rgb(0 0 0 / 35%); }
  .panel > header { position: sticky; top: -10px; z-index: 2; display: flex; gap: 2px; margin: -10px -8px 8px; padding: 8px 0; background: var(--ground); }
  .panel-title { display: grid; grid-template-columns: 28px 1fr; gap: 10px; }
  .panel h2 { font-size: 16px; }
  .panel h2:focus { outline: none; }
  .panel h2:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
  .panel h3 { display: flex; align-items: center; gap: 4px; margin: 18px 0 6px; }
  .panel .state { padding: 28px 0; }
  blockquote { margin-top: 14px; padding: 8px 12px; border-left: 3px solid var(--amber); background: var(--raised); border-radius: 0 8px 8px 0; white-space: pre-wrap; }
  .facts { display: grid; grid-template-columns: minmax(72px, auto) minmax(0, 1fr); gap: 6px 14px; margin-top: 14px; }
  .facts dt { color: var(--soft); }
  .facts small { display: block; }
  .facts button.bare { min-width: 24px; min-height: 24px; padding: 2px; margin: -3px 0; }
  .times-table dd { font-variant-numeric: tabular-nums; }
  .envelope { padding-top: 14px; border-top: 1px solid var(--line); font-size: 12px; }
  .deep { margin-left: 6px; white-space: nowrap; font-size: 12px; }
  .deep .icon { width: 12px; height: 12px; margin-left: 3px; vertical-align: -1px; }
  table { width: 100%; border-collapse: collapse; }
  th, td { padding: 5px 8px 5px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: 400; }
  th { color: var(--soft); }
  .chain li { display: grid; grid-template-columns: 28px 1fr; gap: 10px; padding: 4px 0; }
  .chain small { display: block; }
  .tree > div { display: grid; grid-template-columns: minmax(60px, 34%) minmax(0, 1fr); gap: 10px; padding: 2px 0; }
  .tree > .nested { display: block; }
  .tree .tree { padding-left: 12px; border-left: 1px solid var(--line); }
  .tree dt { color: var(--soft); }
  .json-string { white-space: pre-wrap; }
  .json-number, .json-boolean { color: var(--blue); } .json-null { color: var(--soft); }
  summary { min-height: 24px; cursor: pointer; color: var(--soft); }
  details pre { margin-top: 6px; max-height: 320px; }
  dialog.help { max-width: min(440px, 92vw); padding: 20px; border: 1px solid var(--line); border-radius: 12px; background: var(--ground); color: var(--text); }
  .help form { margin-top: 16px; }
  kbd { padding: 1px 5px; border: 1px solid var(--line); border-radius: 4px; background: var(--raised); white-space: nowrap; }
  .toast { position: fixed; left: 50%; bottom: 20px; z-index: 5; transform: translateX(-50%); padding: 8px 16px; border-radius: 8px; background: var(--text); color: var(--ground); }
  .toast:empty { display: none; }

  @media (max-width: 639px) {
    .row { grid-template-columns: 28px auto minmax(0, 1fr); }
    .said { grid-column: 2 / 4; }
    .row time { grid-area: 2 / 2; padding-top: 3px; text-align: left; }
    .chips { grid-area: 2 / 3; justify-content: start; max-width: none; padding: 0; }
    dialog.panel { width: 100vw; border: 0; }
    .head { gap: 8px; }
  }
  @media (max-height: 400px) { .bar, .pill-place { position: static; } .pill-place { height: auto; } }
  @media (prefers-reduced-motion: reduce) { .fresh .row, .bone { animation: none; } .fresh .row { box-shadow: inset 3px 0 var(--accent); } }
  @media (forced-colors: active) { .badge, .pill, .count { border: 1px solid; } .row::before { background: CanvasText; } .open .row { outline: 2px solid Highlight; } }
`;
