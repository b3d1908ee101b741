import { html, svg, type TemplateResult } from 'lit';
import { names, symbols } from 'virtual:sprite';

/** The hidden sprite that every icon of a shadow root refers to. */
export const sprite = svg`<svg class="sprite" aria-hidden="true">${symbols}</svg>`;

/** One icon, decorative: what it means stands beside it in words. An unknown name gives the general one. */
export function icon(name: string): TemplateResult {
  return html`<svg class="icon" aria-hidden="true" focusable="false">
    <use href="#i-${names.has(name) ? name : 'activity'}"></use>
  </svg>`;
}
