import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The icons that icons.json names, as one Lit sprite: being code, it needs no unsafe HTML and works in the
 * pages of other sites.
 */
function sprite(): Plugin {
  const name = 'virtual:sprite';
  return {
    name: 'sprite',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load(id) {
      if (id !== `\0${name}`) return undefined;
      const names = Object.values(
        JSON.parse(readFileSync(here('icons.json'), 'utf8')) as Record<string, string[]>,
      ).flat();
      const symbols = names.map(
        (icon) => `<symbol id="i-${icon}" viewBox="0 0 24 24">${inner(icon)}</symbol>`,
      );
      return [
        `import { svg } from 'lit';`,
        `export const names = new Set(${JSON.stringify(names)});`,
        `export const symbols = svg\`${symbols.join('')}\`;`,
      ].join('\n');
    },
  };
}

function inner(icon: string): string {
  const text = readFileSync(here(`node_modules/lucide-static/icons/${icon}.svg`), 'utf8');
  return text.replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, '').replace(/\s*\n\s*/g, '');
}

export default defineConfig({
  base: './',
  plugins: [sprite()],
  build: {
    target: 'es2022',
    modulePreload: false, // its polyfill would be an inline script
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { page: here('index.html'), 'activity-feed': here('src/embed.ts') },
      output: {
        // Pages of other sites load the element's file by its name; the other files are cached by their hash.
        entryFileNames: (chunk) =>
          chunk.name === 'activity-feed' ? 'activity-feed.js' : 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { include: ['test/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
