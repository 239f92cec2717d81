/**
 * Puts what `tsc` has compiled file by file into few files, with the packages that come in many: Node spends most of a
 * short command on finding and opening modules. `dist/cli.js`, `dist/index.js` and the process that reads Parquet are
 * bundled, with `dist/chunks`, and are what is published; all else in `dist` stays as it is, for benchmarks and tests.
 * `dist/page/page-script.js` is the script that report pages carry.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLED } from './bundled.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inRoot = (...parts) => join(root, ...parts);
const { dependencies } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));

rmSync(inRoot('dist', 'chunks'), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/cli.ts', 'src/index.ts', 'src/images/parquet/child.ts'],
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20.17',
  format: 'esm',
  // Vega looks whether there is node-canvas, which critmap does not use.
  external: [...Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)), 'canvas'],
  // The one that yargs has takes 20 ms before it measures a word, for signs that no help text has.
  alias: { 'string-width': 'fast-string-width' },
  // What was CommonJS asks for Node's own modules by this.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(inRoot('dist', 'chunks', 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));

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

/** The licences of the packages that files belong to, which they ask to be passed on. */
function licences(files) {
  const folders = new Set(
    files.flatMap((file) => file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(inRoot(folder, 'package.json'), 'utf8'));
    const file = readdirSync(inRoot(folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file ? readFileSync(inRoot(folder, file), 'utf8').trim() : `Licence: ${license}`;
    return `${name} ${version}\n\n${text}\n`;
  });
  return [`Packages that are part of these files.\n`, ...texts].join(`\n${'-'.repeat(78)}\n\n`);
}
