/** What is loaded before a command can answer: Node spends most of a short command on finding and opening modules. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const hooks = `
export async function load(url, context, next) {
  process._rawDebug(url);
  return next(url, context);
}`;
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const tracing = dataUrl(
  `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`,
);

/** Files that Node opened, from the package's root. */
function loadedBy(...words: string[]): string[] {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', tracing, join(root, 'dist', 'cli.js'), ...words],
    { encoding: 'utf8', cwd: root },
  );
  t.equal(status, 0, stderr);
  return stderr
    .split('\n')
    .flatMap((line) => (line.startsWith('file:') ? [fileURLToPath(line).slice(root.length)] : []));
}

t.test('help is there after a few files of critmap alone', async (t) => {
  for (const words of [['--help'], ['sweep', '--help'], ['study', '--help']]) {
    const files = loadedBy(...words);
    t.ok(files.includes(join('dist', 'cli.js')), 'files are seen');
    t.same(
      files.filter((file) => file.includes('node_modules')),
      [],
      'no package is looked for',
    );
    t.ok(files.length < 45, `${files.length} files`);
  }
});

t.test('the licences of packages that are inside lie beside them', async (t) => {
  const folder = join(root, 'dist', 'chunks');
  const licences = readFileSync(join(folder, 'LICENSES.txt'), 'utf8');
  for (const name of ['yargs', 'zod', 'vega', '@bufbuild/protobuf'])
    t.match(licences, new RegExp(`^${name} [0-9.]+$`, 'm'));
  t.notMatch(licences, /^undefined/m);
});
