import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { english } from '../src/text/english.js';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'src');

/** Folders from the bottom up: each may import those before it. */
const LAYERS = ['text', 'styles', 'api', 'stream', 'timeline', 'view', 'write', 'panel', 'feed', 'find', ''];

/** The files that define the page's words, and do not use them. */
const DEFINE_WORDS = /^src\/text\/(words|english|german)\.ts$/;

const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
const code = [...filesIn('src'), ...filesIn('test')].filter((name) => /\.(ts|css)$/.test(name));
const text = (name: string) => readFileSync(join(root, name), 'utf8');

function importsOf(name: string): string[] {
  const found = [...text(name).matchAll(/(?:from|import) '(\.[^']+)\.js'/g)];
  return found
    .map(([, path]) => join(dirname(name), `${path}.ts`))
    .filter((path) => existsSync(join(root, path)));
}

function cycleFrom(name: string, path: readonly string[] = []): readonly string[] | undefined {
  if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
  for (const next of importsOf(name)) {
    const cycle = cycleFrom(next, [...path, name]);
    if (cycle) return cycle;
  }
  return undefined;
}

const layer = (name: string) => LAYERS.indexOf(relative(sources, join(root, dirname(name))));

describe('the source', () => {
  const modules = code.filter((name) => name.startsWith('src') && name.endsWith('.ts'));

  it.each(modules)('has no import cycle: %s', (name) => expect(cycleFrom(name)).toBeUndefined());

  it.each(modules)('imports only its own folder and those below: %s', (name) => {
    expect(layer(name), 'a folder that LAYERS does not list').toBeGreaterThanOrEqual(0);
    expect(importsOf(name).filter((other) => layer(other) > layer(name))).toEqual([]);
  });

  it.each(code)('has lines of at most 110 columns and at most 350 of them: %s', (name) => {
    const lines = text(name).split('\n');
    expect(lines.filter((line) => line.length > 110)).toEqual([]);
    expect(lines.length - 1).toBeLessThanOrEqual(350);
  });

  it.each(LAYERS)('holds at most twelve files in src/%s', (folder) => {
    const files = readdirSync(join(sources, folder), { withFileTypes: true }).filter((one) => one.isFile());
    expect(files.length).toBeLessThanOrEqual(12);
  });

  it.each(modules)('lets each text that people write choose its direction: %s', (name) => {
    const fields = text(name).match(/<(?:textarea|blockquote|input)\b[^]*?(?:><|>|\/>)/g) ?? [];
    const ofText = fields.filter(
      (tag) => !/type="(?:number|date|datetime-local|checkbox|password)"/.test(tag),
    );
    expect(ofText.filter((tag) => !tag.includes('dir="auto"'))).toEqual([]);
  });

  it.each(Object.keys(english))('uses the word %s', (key) => {
    const users = modules.filter((name) => !DEFINE_WORDS.test(name)).map(text);
    expect(users.some((user) => new RegExp(`\\b${key}\\b`).test(user))).toBe(true);
  });
});
