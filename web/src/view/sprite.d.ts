declare module 'virtual:sprite' {
  import type { SVGTemplateResult } from 'lit';
  export const names: ReadonlySet<string>;
  export const symbols: SVGTemplateResult;
}
