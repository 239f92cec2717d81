/** critmap and the libraries it loads send nothing, and write nowhere but where docs/security.md says. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { isTemporary } from '../../src/files/replace.js';
import { example } from '../fixtures.js';
import { traced, withoutStrace } from '../strace.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const sweeping = fileURLToPath(new URL('../sweep/sweeping-thread.mjs', import.meta.url));
const model = example('resnet.onnx');
const data = example('images.npz');

/** Runs it in `folder`; `out` is where it may write, besides devices. */
async function isQuiet(t: Test, folder: string, args: string[], out: string[]) {
  const { code, stderr, sockets, written, opened } = await traced(folder, args);
  t.equal(code, 0, stderr);
  t.strictSame(
    sockets.filter((family) => family !== 'AF_UNIX'),
    [],
    'no socket to another machine',
  );
  // A file is written beside where it goes.
  const allowed = (path: string) =>
    out.some(
      (place) =>
        path === place ||
        path.startsWith(place + sep) ||
        (dirname(path) === dirname(place) && isTemporary(basename(path))),
    );
  const elsewhere = written
    .map(({ path }) => path)
    .filter((path) => !allowed(path) && !/^\/(dev|proc)\//.test(path));
  t.strictSame(elsewhere, [], 'no file elsewhere');
  t.notOk(opened.includes('/etc/machine-id'), "the machine's name is not asked for");
  t.strictSame(readdirSync(join(folder, 'tmp')), [], 'the temporary folder is empty afterwards');
}

const sweep = [
  cli,
  'sweep',
  model,
  '--data',
  data,
  '--images',
  '4',
  '--trials',
  '1',
  '--layers',
  'fc',
  '--quiet',
];

t.test('sweeps, plans and reports are quiet', { skip: withoutStrace }, async (t) => {
  const folder = t.testdir({});
  const run = join(folder, 'run');
  const may = [run, join(folder, 'home', '.cache', 'critmap'), join(folder, 'tmp')];
  await isQuiet(t, folder, [...sweep, '--out', run], may);
  await isQuiet(t, folder, [cli, 'inspect', model, '--data', data], may);
  const page = join(folder, 'page.html');
  await isQuiet(t, folder, [cli, 'report', run, '--out', page], [page]);
});

t.test('so are a study, its check and a pick', { skip: withoutStrace }, async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'study.yaml');
  const sweep = '{ images: 4, layers: fc, threads: 1 }';
  writeFileSync(file, `defaults: ${sweep}\ndata: { a: ${data} }\nmodels: [{ id: one, model: ${model} }]\n`);
  const out = join(folder, 'study');
  const may = [out, join(folder, 'home', '.cache', 'critmap')];
  await isQuiet(t, folder, [cli, 'study', file, '--check'], []);
  await isQuiet(t, folder, [cli, 'study', file, '--out', out, '--quiet'], may);
  await isQuiet(t, folder, [cli, 'pick', out, '--model', 'one', '--below', '50'], []);
});

t.test('so is the reference engine', { skip: withoutStrace }, async (t) => {
  const folder = t.testdir({});
  const run = join(folder, 'run');
  const may = [run, join(folder, 'home', '.cache', 'critmap')];
  await isQuiet(t, folder, [...sweep, '--engine', 'reference', '--out', run], may);
});

t.test('so are worker threads, whose environment is their own', { skip: withoutStrace }, async (t) => {
  const folder = t.testdir({});
  for (const engine of ['fast', 'reference']) {
    const task = { path: model, images: 4, options: { layers: ['fc'], trials: 1, engine } };
    mkdirSync(join(folder, engine));
    const program = join(folder, engine, 'main.mjs');
    writeFileSync(
      program,
      `import { Worker } from 'node:worker_threads';
       new Worker(${JSON.stringify(sweeping)}, { workerData: ${JSON.stringify(task)} });`,
    );
    await isQuiet(t, join(folder, engine), [program], [join(folder, engine, 'tmp')]);
  }
});
