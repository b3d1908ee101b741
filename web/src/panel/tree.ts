import { html, type TemplateResult } from 'lit';

const MOST = 200; // entries of one level that are drawn

/** A JSON value as a folding tree; every text is drawn as text. */
export function tree(value: unknown, depth = 0): TemplateResult {
  if (value === null || typeof value !== 'object')
    return html`<span dir="auto" class="json-${value === null ? 'null' : typeof value}"
      >${scalar(value)}</span
    >`;
  const entries = Object.entries(value);
  const more = entries.length - MOST;
  return html`<dl class="tree">
    ${entries.slice(0, MOST).map(([name, one]) => entry(name, one, depth))}
    ${
      more > 0
        ? html`<dt>…</dt>
            <dd>+${more}</dd>`
        : ''
    }
  </dl>`;
}

function entry(name: string, value: unknown, depth: number): TemplateResult {
  if (value === null || typeof value !== 'object')
    return html`<div>
      <dt>${name}</dt>
      <dd>${tree(value)}</dd>
    </div>`;
  const size = Object.keys(value).length;
  const summary = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  return html`<div class="nested">
    <dt class="sr">${name}</dt>
    <dd>
      <details ?open=${depth < 1}>
        <summary>${name} <span class="faint">${summary}</span></summary>
        ${depth < 20 ? tree(value, depth + 1) : html`<pre>${JSON.stringify(value)}</pre>`}
      </details>
    </dd>
  </div>`;
}

const scalar = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

export interface Change {
  field: string;
  from: unknown;
  to: unknown;
}

/** The changes in a payload: its list of `changes`, or its pairs of from_x and to_x. */
export function changes(payload: unknown): Change[] {
  if (!payload || typeof payload !== 'object') return [];
  const fields = payload as Record<string, unknown>;
  const listed = Array.isArray(fields.changes)
    ? (fields.changes as Change[]).filter((one) => one && typeof one === 'object' && 'field' in one)
    : [];
  const pairs = Object.keys(fields)
    .filter((name) => name.startsWith('to_') && `from_${name.slice(3)}` in fields)
    .map((name) => ({ field: name.slice(3), from: fields[`from_${name.slice(3)}`], to: fields[name] }));
  return [...listed, ...pairs];
}
