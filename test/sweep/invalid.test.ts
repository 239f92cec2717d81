/** Outputs that are NaN or infinite: one number counts them in the mean, its interval, its draws and its sequence. */
import { join } from 'node:path';
import t from 'tap';
import { compareRuns } from '../../src/compare/compare-runs.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { pickLayers } from '../../src/pick/pick.js';
import { readRun } from '../../src/run/read-run.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { node, value, weight, writeGraph } from '../onnx/graphs.js';

const dir = t.testdir({});

/** Roots of a layer's outputs, all of them positive before it is reset: draws make some of them negative. */
const path = join(dir, 'roots.onnx');
writeGraph(path, {
  node: [
    node('Relu', ['images'], 'positive'),
    node('Conv', ['positive', 'conv1.weight'], 'conv1', { strides: [2, 2] }),
    node('GlobalAveragePool', ['conv1'], 'pooled'),
    node('Flatten', ['pooled'], 'flat'),
    node('Sqrt', ['flat'], 'roots'),
    node('Gemm', ['roots', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
  ],
  input: [value('images', [null, 3, 8, 8])],
  output: [value('logits', [null, 4])],
  initializer: [weight('conv1.weight', [2, 3, 3, 3]), weight('fc.weight', [4, 2]), weight('fc.bias', [4])],
});
const model = await loadModel(path);
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
