import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Reset } from '../../src/resets/kinds.js';
import { Finished } from '../../src/run/finished.js';
import { sealOf } from '../../src/run/identity.js';
import { Journal } from '../../src/run/journal.js';
import { readRun } from '../../src/run/read-run.js';
import { files } from '../../src/run/run.js';
import { type SummaryInput, summarise } from '../../src/run/summarise.js';
import { cosineOf, crossedSweep, identity, random, slicedSweep } from './finished-sweeps.js';

const info = {
  version: 2,
  critmap: '0.1.0',
  status: 'done',
  started: '2026-01-01T00:00:00.000Z',
  updated: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  ...identity,
  cells: 1,
  environment: {},
  warnings: [],
  sample: { file: 'images.csv', seed: 0, total: 30, skipped: [] },
};

/** A run directory with the journal and the summary of a finished sweep. */
async function written(t: Tap, input: SummaryInput): Promise<string> {
  const directory = t.testdir({ [files.info]: JSON.stringify(info) });
  const { finished, design, targets } = input;
  const { journal } = await Journal.open(join(directory, files.journal), sealOf(identity));
  for (const { layer, reset } of targets) {
    for (const [chunk, sums] of finished.chunksOf(layer.name, reset.label)) {
      await journal.append([{ type: 'target', layer: layer.name, reset: reset.label, chunk, ...sums }]);
    }
  }
  await journal.close();
  const options = { ...identity.options, ...design };
  const { summary } = summarise({ ...input, identity: { ...identity, options } });
  writeFileSync(join(directory, files.summary), JSON.stringify(summary));
  return directory;
}
type Tap = { testdir(content: Record<string, string>): string };

t.test('a run gives the numbers of its draws as a matrix', async (t) => {
  const run = await readRun(await written(t, crossedSweep()));
  t.same(run.layers, ['conv2']);
  const criticality = run.matrix('criticality');
  // 5 of the first draw's 30 images are invalid: their predictions are gone.
  t.same(criticality.shape, [1, 2]);
  t.ok(Math.abs(criticality.get(0, 0) - (25 * 50 + 5 * 100) / 30) < 1e-9);
  t.equal(criticality.get(0, 1), 50);
  const agreement = run.matrix('agreement');
  t.same([agreement.get(0, 0), agreement.get(0, 1)], [50, 100]);
  t.equal(run.matrix('invalid').get(0, 0), 5);
  t.throws(() => run.matrix('cosine', 'zero'), {
    name: 'RangeError',
    message: /no reset "zero"; it has random/,
  });
});

t.test('draws of slices are columns in the order of their numbers', async (t) => {
  for (const trials of [1, 2]) {
    const run = await readRun(await written(t, slicedSweep(random, trials)));
    const cosine = run.matrix('cosine');
    t.same(cosine.shape, [1, 4 * trials]);
    for (let draw = 0; draw < 4 * trials; draw++) {
      const expected = cosineOf(Math.floor(draw / trials), draw % trials);
      t.ok(Math.abs(cosine.get(0, draw) - expected) < 1e-12, `draw ${draw}`);
    }
  }
});

t.test('draws beyond the slice at which a layer was known are left out, as in the summary', async (t) => {
  const known = { criticality: { low: 0.7, high: 0.9 }, agreement: { low: 0.1, high: 0.6 } };
  const stopped = { ...slicedSweep(random, 1), knownOf: () => ({ slices: 2, ...known }) };
  t.same((await readRun(await written(t, stopped))).matrix('cosine').shape, [1, 2]);
});

t.test(
  'a reset without randomness has one column over all images, in whatever slices they lie',
  async (t) => {
    const zero: Reset = { kind: 'zero', label: 'zero' };
    const sweep = slicedSweep(zero, 1);
    const run = await readRun(await written(t, sweep));
    const images = run.matrix('images');
    t.same([images.shape, images.get(0, 0)], [[1, 1], 30]);
    const { criticality } = run.summary.layers[0]!;
    t.ok(Math.abs(run.matrix('criticality').get(0, 0) - criticality.mean!) < 1e-12);
  },
);

t.test('a layer without results is a row of NaN', async (t) => {
  const nothing = { ...crossedSweep(), finished: new Finished() };
  const matrix = (await readRun(await written(t, nothing))).matrix('cosine');
  t.same(matrix.shape, [1, 1]);
  t.ok(Number.isNaN(matrix.get(0, 0)));
});
