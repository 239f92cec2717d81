/** Outputs that are NaN or infinite: one number counts them in the mean, its interval, its draws and its sequence. */
import { join } from 'node:path';
import t from 'tap';
import { compareRuns } from '../../src/compare/compare-runs.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { pickLayers } from '../../src/pick/pick.js';
import { readRun } from '../../src/run/read-run.js';
import { chunkCount, wholeOf } from '../../src/sweep/part.js';
import { openPartRunner } from '../../src/sweep/part-runner.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep, sweepWith } from '../../src/sweep/sweep.js';
import { node, value, weight, writeGraph } from '../onnx/graphs.js';

const dir = t.testdir({});

/** @param before what the images go through first */
function rootsOf(name: string, before: string) {
  const path = join(dir, name);
  writeGraph(path, {
    node: [
      node(before, ['images'], 'begun'),
      node('Conv', ['begun', 'conv1.weight'], 'conv1', { strides: [2, 2] }),
      node('GlobalAveragePool', ['conv1'], 'pooled'),
      node('Flatten', ['pooled'], 'flat'),
      node('Sqrt', ['flat'], 'roots'),
      node('Gemm', ['roots', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
    ],
    input: [value('images', [null, 3, 8, 8])],
    output: [value('logits', [null, 4])],
    initializer: [weight('conv1.weight', [2, 3, 3, 3]), weight('fc.weight', [4, 2]), weight('fc.bias', [4])],
  });
  return loadModel(path);
}

/** Roots of a layer's outputs, all of them positive before it is reset: draws make some of them negative. */
const model = await rootsOf('roots.onnx', 'Relu');
const IMAGES = 64;

/** A sweep, and what its logits come to by the definition. */
async function measured(options: SweepOptions) {
  const images = await openImages(`synthetic:${IMAGES}`, { ...modelInput(model), images: IMAGES });
  const passes = new Map<string, { moved: number; invalid: number; count: number }>();
  try {
    const { summary } = await sweep(model, images, {
      resets: [{ kind: 'noise', label: 'noise=1.5', sigma: 1.5 }],
      ...options,
      onLogits: ({ layer, original, changed, from, to }) => {
        const total = passes.get(layer) ?? { moved: 0, invalid: 0, count: 0 };
        const classes = original.length / (to - from);
        for (let at = 0; at < original.length; at += classes) {
          const [p, q] = [original, changed].map((rows) => softmax(rows.subarray(at, at + classes)));
          const moved = 1 - cosine(p!, q!);
          total.moved += Number.isNaN(moved) ? 1 : moved;
          total.invalid += Number(Number.isNaN(moved));
          total.count++;
        }
        passes.set(layer, total);
      },
    });
    return { summary, passes };
  } finally {
    await images.close();
  }
}

function softmax(row: Float32Array): number[] {
  const largest = Math.max(...row);
  const powers = [...row].map((one) => Math.exp(one - largest));
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => one / sum);
}

function cosine(p: readonly number[], q: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, one, i) => sum + one * b[i]!, 0);
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
}

for (const [design, options] of Object.entries({
  'a draw for every 4 images': { imagesPerDraw: 4 },
  'crossed draws': { trials: 6 },
  'stopping by betting': { imagesPerDraw: 1, tolerance: 45 },
} satisfies Record<string, SweepOptions>)) {
  t.test(`an invalid output counts as 100 % in all that is said of it: ${design}`, async (t) => {
    const out = join(dir, design.replaceAll(' ', '-'));
    const { summary, passes } = await measured({ ...options, seed: 3, out });
    const [conv] = summary.layers;
    const { moved, invalid, count } = passes.get('conv1')!;
    const { mean, low, high } = conv!.criticality;
    // Passes beyond a layer's stop are computed, and not counted.
    if (conv!.stoppedAt === null) {
      t.equal(conv!.passes, count);
      t.equal(conv!.invalid, invalid);
      t.ok(
        Math.abs(mean! - (100 * moved) / count) < 1e-3,
        `${mean}, by the definition ${(100 * moved) / count}`,
      );
    }
    t.ok(
      conv!.invalid > 0 && conv!.invalid < conv!.passes,
      `${conv!.invalid} of ${conv!.passes} are invalid`,
    );
    t.ok(low! <= mean! && mean! <= high!, `${low} to ${high} holds ${mean}`);
    t.ok(high! >= (100 * conv!.invalid) / conv!.passes, 'and the share that is surely lost');
    const run = await readRun(out);
    const draws = run.matrix('criticality');
    const row = Array.from({ length: draws.shape[1]! }, (_, draw) => draws.get(0, draw)).filter(
      Number.isFinite,
    );
    const average = row.reduce((sum, one) => sum + one, 0) / row.length;
    t.ok(Math.abs(average - mean!) < 1e-6, `draws of equal size have the mean ${average}`);
    const { layers } = pickLayers(run, { below: Math.min(99, mean! * 0.9) });
    t.notOk(layers.some(({ layer }) => layer === 'conv1'));
  });
}

t.test('differences are those of the means', async (t) => {
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  const means = [];
  for (const [seed, out] of [a, b].entries()) {
    const { summary } = await measured({ trials: 6, seed, out });
    means.push(summary.layers[0]!.criticality.mean!);
  }
  const { differences } = await compareRuns([a, b]);
  const { difference } = differences.find(({ layer }) => layer === 'conv1')!;
  t.ok(Math.abs(means[0]! - means[1]!) > 1, `${means}`);
  t.ok(Math.abs(difference! - (means[1]! - means[0]!)) < 1e-6);
});

t.test('that the untouched model gives some is said once, whatever computes the sweep', async (t) => {
  const without = await rootsOf('signed.onnx', 'Identity');
  const images = await openImages('synthetic:600', { ...modelInput(without), images: 600 });
  t.teardown(() => images.close());
  const options = { layers: ['fc'], resets: [{ kind: 'zero', label: 'zero' }] } as const;
  const { summary, warnings } = await sweep(without, images, options);
  const { invalid } = summary.data;
  t.ok(invalid > 0 && invalid < 600, `${invalid} of 600`);
  const said = `gives NaN or infinite logits for ${invalid} of 600 images; they are counted as invalid`;
  t.match(
    warnings.filter((one) => /NaN/.test(one)),
    [new RegExp(`signed\\.onnx ${said}$`)],
  );
  const inParts = await sweepWith(
    async ({ settings, cells }, record) => {
      const runner = await openPartRunner(without, images, options);
      const chunks = chunkCount(images.count, settings.chunk);
      for (let from = 0; from < chunks; from++) {
        const part = { ...wholeOf(cells, chunks), from, to: from + 1 };
        await runner.run(part, (line) => void record.add(line), new AbortController().signal);
      }
      await runner.close();
    },
    without,
    images,
    options,
  );
  t.strictSame(inParts.summary, summary);
  t.strictSame(inParts.warnings, warnings);
});
