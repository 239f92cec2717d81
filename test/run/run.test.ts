import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { files, openRun, type RunIdentity, readInfo, refuseOtherGraph } from '../../src/run/run.js';
import { noSeconds } from '../../src/run/stages.js';

const transform = { kind: 'pixels', resize: 256 };
const identity: RunIdentity = {
  model: { name: 'm', sha256: 'aa', layers: 3 },
  data: {
    ...{ source: 'photos', images: 10, fingerprint: 'bb', transform },
    parts: { images: 'dd', labels: 'ee' },
  },
  options: { reset: ['random'], seed: 0 },
};
const info = {
  version: 2 as const,
  critmap: '0.1.0',
  status: 'running' as const,
  started: '2026-01-01T00:00:00.000Z',
  updated: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  ...identity,
  cells: 3,
  environment: {},
  warnings: [],
  stageSeconds: noSeconds,
  peakMemoryBytes: 0,
  graph: null,
  command: null,
  shard: null,
  plan: null,
  sample: {
    file: 'images.csv',
    seed: 0,
    total: 20,
    skipped: [{ image: 'a.jpg', problem: 'does not exist' }],
  },
};

t.test('a run directory is made with its parents, and its info reads back', async (t) => {
  const directory = join(t.testdir({}), 'a', 'b');
  const run = await openRun(directory, identity);
  await run.writeInfo(info);
  t.equal(run.earlier, null);
  t.ok(existsSync(join(directory, files.lock)));
  await run.close();
  t.notOk(existsSync(join(directory, files.lock)), 'the lock goes with the run');
  t.strictSame(await readInfo(directory), info);
  t.strictSame(readdirSync(directory).sort(), [files.journal, files.info].sort(), 'nothing else is left');
});

t.test('the same sweep opens the run again, a different one is refused with the differences', async (t) => {
  const directory = t.testdir({});
  const run = await openRun(directory, identity);
  await run.writeInfo(info);
  await run.close();
  const again = await openRun(directory, identity);
  t.strictSame(again.earlier, info);
  await again.close();

  const withTransform = (other: object) => ({ ...identity, data: { ...identity.data, transform: other } });
  const withParts = (parts: RunIdentity['data']['parts']) => ({
    ...identity,
    data: { ...identity.data, fingerprint: 'cc', parts },
  });
  const others: [RunIdentity, RegExp][] = [
    [{ ...identity, model: { ...identity.model, sha256: 'cc' } }, /another run \(model m\)/],
    [withParts(undefined), /images of photos/],
    [{ ...identity, data: { ...identity.data, images: 12, fingerprint: 'cc' } }, /\(10 images, now 12\)/],
    [withTransform({ ...transform, resize: 232 }), /\(resize 256, now 232\)/],
    [withTransform({ kind: 'tensors' }), /kind "pixels", now "tensors"; resize 256, now null/],
    [withParts({ images: 'dd', labels: null }), /\(labels, now none\)/],
    [withParts({ images: 'dd', labels: 'ff' }), /\(other labels of the same images\)/],
    [withParts({ images: 'ff', labels: 'ee' }), /\(images of photos\)/],
    [{ ...identity, options: { reset: ['zero'], seed: 0 } }, /reset \["random"\], now \["zero"\]/],
    [{ ...identity, options: { reset: ['random'], seed: 1 } }, /seed 0, now 1/],
  ];
  for (const [other, says] of others) {
    await t.rejects(openRun(directory, other), { code: 'ERR_RUN', message: says });
  }
  t.strictSame(await readInfo(directory), info, 'and is untouched');
});

t.test('a run goes on with the graph that it was begun with only', async (t) => {
  const directory = t.testdir({});
  const run = await openRun(directory, identity);
  t.doesNotThrow(() => refuseOtherGraph(run, 'model'), 'a new run');
  await run.writeInfo({ ...info, graph: 'model' });
  await run.close();
  const again = await openRun(directory, identity);
  t.doesNotThrow(() => refuseOtherGraph(again, 'model'));
  t.throws(() => refuseOtherGraph(again, 'runtime'), {
    code: 'ERR_RUN',
    message: /computed from the model's own graph, now it would be the runtime's optimised graph/,
  });
  await again.close();
});

t.test('a directory of other files is refused and left alone', async (t) => {
  const directory = t.testdir({ 'thesis.tex': 'x' });
  await t.rejects(openRun(directory, identity), {
    code: 'ERR_RUN',
    message: /holds other files \(thesis\.tex\)/,
  });
  t.strictSame(readdirSync(directory), ['thesis.tex']);
});

t.test('a directory that cannot be written gets one line', async (t) => {
  const dir = t.testdir({ file: 'x' });
  await t.rejects(openRun(join(dir, 'file'), identity), { code: 'ERR_RUN', message: /file of that name/ });
  await t.rejects(openRun(join(dir, 'file', 'run'), identity), { code: 'ERR_RUN', message: /is a file/ });
  if (existsSync('/proc/self')) {
    await t.rejects(openRun('/proc/self/run', identity), { code: 'ERR_RUN', message: /cannot write \/proc/ });
  }
});

t.test('a run is written to once at a time, but a dead process does not block it', async (t) => {
  const directory = t.testdir({});
  const run = await openRun(directory, identity);
  await run.writeInfo(info);
  await t.rejects(openRun(directory, identity), { code: 'ERR_RUN', message: /in use by this process; wait/ });
  await run.close();

  // No process has a number above Linux's and macOS's limits.
  writeFileSync(join(directory, files.lock), JSON.stringify({ pid: 2 ** 30, host: hostname() }));
  await (await openRun(directory, identity)).close();
  writeFileSync(join(directory, files.lock), 'torn');
  await (await openRun(directory, identity)).close();
  writeFileSync(join(directory, files.lock), JSON.stringify({ pid: 1, host: 'elsewhere' }));
  await t.rejects(openRun(directory, identity), { code: 'ERR_RUN', message: /on elsewhere.*delete/ });
});

const noStart = existsSync('/proc/self/stat') ? false : 'the kernel does not tell when a process started';
t.test(
  'a process of the same number that started at another time does not hold a run',
  { skip: noStart },
  async (t) => {
    const directory = t.testdir({});
    writeFileSync(
      join(directory, files.lock),
      JSON.stringify({ pid: process.pid, host: hostname(), start: '1' }),
    );
    await (await openRun(directory, identity)).close();
  },
);

t.test('a run that was killed before it had begun is begun again', async (t) => {
  const directory = t.testdir({ [files.journal]: '', 'critmap-0123456789ab.tmp': '{' });
  const run = await openRun(directory, identity);
  t.equal(run.earlier, null);
  await run.close();
  t.strictSame(readdirSync(directory), [files.journal], 'what a killed writer left is gone');
});

t.test('a run of which nothing but results could be written is begun again', async (t) => {
  const directory = t.testdir({ [files.journal]: '', [files.summary]: '{}', [files.table]: '' });
  await (await openRun(directory, identity)).close();
  const computed = t.testdir({ [files.journal]: '{}\n', [files.summary]: '{}' });
  await t.rejects(openRun(computed, identity), { message: /holds other files/ }, 'not one that has computed');
});

t.test('a damaged run.json is refused by name', async (t) => {
  for (const text of ['', '{', '[]', '{"version":2}', JSON.stringify({ ...info, status: 'odd' })]) {
    const directory = t.testdir({ [files.info]: text });
    await t.rejects(readInfo(directory), { code: 'ERR_RUN', message: /run\.json/ }, text);
  }
  const empty = t.testdir({});
  mkdirSync(join(empty, 'sub'));
  await t.rejects(readInfo(join(empty, 'sub')), { code: 'ERR_RUN', message: /not a finished critmap run/ });
});

t.test('files of a run are replaced whole', async (t) => {
  const directory = t.testdir({});
  const run = await openRun(directory, identity);
  await run.write('summary.json', 'first');
  await run.write('summary.json', 'second');
  t.equal(readFileSync(join(directory, 'summary.json'), 'utf8'), 'second');
  t.notOk(readdirSync(directory).some((name) => name.endsWith('.tmp')));
  await run.close();
});
