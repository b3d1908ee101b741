import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The icons that icons.json names, as one Lit sprite: code, so that it needs no unsafe HTML and works inside another site's page. */
function sprite(): Plugin {
  const name = 'virtual:sprite';
  return {
    name: 'sprite',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load(id) {
      if (id !== `\0${name}`) return undefined;
      const names = Object.values(JSON.parse(readFileSync(here('icons.json'), 'utf8')) as Record<string, string[]>).flat();
      const symbols = names.map((icon) => `<symbol id="i-${icon}" viewBox="0 0 24 24">${inner(icon)}</symbol>`);
      return `import { svg } from 'lit';\nexport const names = new Set(${JSON.stringify(names)});\nexport const symbols = svg\`${symbols.join('')}\`;`;
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
        // The element's file keeps its name, for the pages of others to load; what only this page loads is cached by its hash.
        entryFileNames: (chunk) => (chunk.name === 'activity-feed' ? 'activity-feed.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { include: ['test/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
