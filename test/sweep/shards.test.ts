/** Shards of a sweep: put together in any order they are one run, byte for byte. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { readRun } from '../../src/run/read-run.js';
import { IncompleteRuns, mergeRuns } from '../../src/sweep/merge.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';
import { preActivation } from '../networks.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const results = ['summary.json', 'results.csv', 'draws.csv', 'summary.csv', 'images.csv'];
const bytesOf = (directory: string) =>
  results.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');

/** Two chunks of 256 and 44 images. */
async function run(out: string, options: SweepOptions = {}, of = model) {
  const images = await openImages('synthetic:300', { ...modelInput(of), images: 300 });
  try {
    return await sweep(of, images, { out, ...options });
  } finally {
    await images.close();
  }
}

for (const [design, counts, options] of [
  ['slices', [1, 2, 3, 7], {}],
  ['crossed draws', [3], { trials: 2 }],
  ['a tolerance', [3], { tolerance: 20 }],
] as [string, number[], SweepOptions][]) {
  t.test(`${counts.join(', ')} shards give the bytes of one run, with ${design}`, async (t) => {
    const dir = t.testdir({});
    await run(join(dir, 'one'), options);
    const expected = bytesOf(join(dir, 'one'));
    const all: string[] = [];
    for (const of of counts) {
      const shards = Array.from({ length: of }, (_, i) => join(dir, `${of}-${i + 1}`));
      for (const [i, out] of shards.entries()) await run(out, { ...options, shard: { index: i + 1, of } });
      await mergeRuns([...shards].reverse(), join(dir, `merged-${of}`));
      t.equal(bytesOf(join(dir, `merged-${of}`)), expected, `${of} shards`);
      all.push(...shards);
    }
    await mergeRuns(all, join(dir, 'overlapping'));
    t.equal(bytesOf(join(dir, 'overlapping')), expected, 'shards that overlap');
    await t.rejects(readRun(join(dir, '3-1')), { code: 'ERR_RUN', message: /is shard 1 of 3/ });
  });
}

t.test('shards of a model whose own graph is cut, for it has what the optimised one has not', async (t) => {
  const dir = t.testdir({ 'pre.onnx': Buffer.from(preActivation()) as unknown as string });
  const own = await loadModel(join(dir, 'pre.onnx'));
  await run(join(dir, 'one'), {}, own);
  const shards = [1, 2, 3].map((index) => join(dir, `shard-${index}`));
  for (const [i, out] of shards.entries()) await run(out, { shard: { index: i + 1, of: 3 } }, own);
  const graphs = shards.map((out) => JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')).graph);
  t.strictSame(graphs, ['model', 'model', 'model']);
  await mergeRuns(shards, join(dir, 'merged'));
  t.equal(bytesOf(join(dir, 'merged')), bytesOf(join(dir, 'one')));
});

t.test('a shard that is missing is named with its command, and completes the run', async (t) => {
  const dir = t.testdir({});
  await run(join(dir, 'one'));
  const shard = (index: number) => {
    const out = join(dir, `part-0${index}`);
    const own = ['--out', `part-0${index}`, '--shard', `${index}/3`, '--trace', `trace-0${index}.json`];
    const command = ['sweep', 'm.onnx', ...own];
    return run(out, { shard: { index, of: 3 }, command });
  };
  const place = (index: number) => join(dir, `part-0${index}`);
  await shard(1);
  await shard(3);
  const failure = await mergeRuns([place(3), place(1)], join(dir, 'merged')).catch((error) => error);
  t.ok(failure instanceof IncompleteRuns);
  t.strictSame(failure.commands, [
    'critmap sweep m.onnx --out part-02 --shard 2/3 --trace trace-02.json',
    'sbatch --array=2 SCRIPT',
  ]);
  await shard(2);
  await mergeRuns([place(2), place(3), place(1)], join(dir, 'merged'));
  t.equal(bytesOf(join(dir, 'merged')), bytesOf(join(dir, 'one')));
});

t.test('runs of different sweeps are not put together', async (t) => {
  const dir = t.testdir({});
  await run(join(dir, 'a'), { shard: { index: 1, of: 2 } });
  await run(join(dir, 'b'), { shard: { index: 2, of: 2 }, seed: 1 });
  await t.rejects(mergeRuns([join(dir, 'a'), join(dir, 'b')], join(dir, 'out')), {
    code: 'ERR_RUN',
    message: /seed 0, now 1/,
  });
});
