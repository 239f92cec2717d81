// Bundles the report page's script (src/page/) into one file that pages carry: dist/page/page-script.js.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const inRoot = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

await build({
  entryPoints: [inRoot('src/page/main.ts')],
  outfile: inRoot('dist/page/page-script.js'),
  tsconfig: inRoot('src/page/tsconfig.json'),
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome109', 'firefox109', 'safari16'],
  // It stands inside <script>, which these letters would end or confuse.
  charset: 'ascii',
  legalComments: 'none',
  logLevel: 'warning',
});
