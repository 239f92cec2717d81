/**
 * Whether intervals hold the truth for a real network: the demo's, whose layers PyTorch knows from 8,000 draws each
 * (`test/oracle/make_demo_truth.py`), and the answers of its images under many draws, from which sweeps are drawn anew.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { crossedInterval } from '../../src/statistics/crossed.js';
import { type Group, groupsInterval, type Interval } from '../../src/statistics/student.js';
import { readChunk } from '../../src/sweep/chunks-ahead.js';
import { withDefaults } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example, fixture } from '../fixtures.js';
import { generator, type Random, shareOf } from '../statistics/simulated.mjs';

const model = await loadModel(example('resnet.onnx'));
const { layers: truth } = JSON.parse(readFileSync(fixture('demo-truth.json'), 'utf8')) as {
  layers: Record<string, [mean: number, error: number, agreement: number, agreementError: number]>;
};
const SEEDS = 100;
const IMAGES = 80;

t.test('over 100 seeds the default design holds what PyTorch found, and its means are those', async (t) => {
  let held = 0;
  const found = new Map(Object.keys(truth).map((name) => [name, { mean: [], agreement: [] } as Found]));
  for (let seed = 0; seed < SEEDS; seed++) {
    const options = { ...modelInput(model), images: IMAGES, dataSeed: seed };
    const images = await openImages(example('images.npz'), options);
    const { summary } = await sweep(model, images, { seed, threads: 2 });
    await images.close();
    for (const { layer, criticality, agreement } of summary.layers) {
      const [mean] = truth[layer]!;
      if (criticality.low! <= mean && mean <= criticality.high!) held++;
      found.get(layer)!.mean.push(criticality.mean!);
      found.get(layer)!.agreement.push(agreement.mean!);
    }
  }
  const share = held / (SEEDS * found.size);
  t.ok(share >= 0.93 && share <= 0.985, `${(100 * share).toFixed(1)} % of ${SEEDS * found.size}`);
  // The means of independent sweeps, against PyTorch's: 36 of them, each with the error of both.
  let squares = 0;
  for (const [layer, { mean, agreement }] of found) {
    const [wanted, error, wantedAgreement, agreementError] = truth[layer]!;
    const distances = [zOf(mean, wanted, error), zOf(agreement, wantedAgreement, agreementError)];
    for (const z of distances) t.ok(Math.abs(z) < 4, `${layer}: ${z.toFixed(2)} standard errors`);
    squares += distances[0]! ** 2 / found.size;
  }
  t.ok(squares < 2.2, `mean square of criticality's distances ${squares.toFixed(2)}`);
});

interface Found {
  mean: number[];
  agreement: number[];
}

function zOf(values: readonly number[], wanted: number, error: number): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return (mean - wanted) / Math.sqrt(variance / values.length + error ** 2);
}

/** Cosines of 48 draws x 200 images of a layer. */
const DRAWS = 48;

t.test("intervals hold the mean of sweeps drawn from a real network's answers", async (t) => {
  const names = ['layer1.0.conv2', 'layer3.2.conv2', 'fc'];
  for (const name of names) {
    const answers = await answersOf(name);
    const all = answers.flatMap((row) => [...row]);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const random = generator(7);
    const pick = () => Math.floor(random() * DRAWS);
    const sliced = shareOf(1000, () => holds(groupsInterval(slices(random, answers, pick), 0.95), mean));
    t.ok(sliced.share >= 0.94 - 2 * sliced.error, `${name}: slices ${sliced.share}`);
    for (const draws of [3, 10]) {
      const crossed = shareOf(1000, () =>
        holds(crossedInterval(crossedOf(random, answers, draws, pick), 0.95), mean),
      );
      // Of answers that lean to one end, three draws have often seen one side only: 94 % is not reached there.
      const least = draws === 3 ? 0.9 : 0.94;
      t.ok(crossed.share >= least - 2 * crossed.error, `${name}: ${draws} crossed draws ${crossed.share}`);
    }
  }
});

const holds = (interval: Interval | null, mean: number) =>
  interval !== null && interval.low <= mean && mean <= interval.high;

/** 125 slices of 8, images and draws with replacement. */
function slices(random: Random, answers: readonly Float64Array[], pick: () => number): Group[] {
  return Array.from({ length: 125 }, () => {
    const row = answers[pick()]!;
    const group = { count: 8, sum: 0, sumSquares: 0 };
    for (let i = 0; i < group.count; i++) {
      const value = row[Math.floor(random() * IMAGES)]!;
      group.sum += value;
      group.sumSquares += value ** 2;
    }
    return group;
  });
}

function crossedOf(random: Random, answers: readonly Float64Array[], draws: number, pick: () => number) {
  const rows = Array.from({ length: draws }, () => answers[pick()]!);
  const sums = { images: IMAGES, drawSums: rows.map(() => 0), sumSquares: 0, imageSquares: 0 };
  for (let i = 0; i < IMAGES; i++) {
    const image = Math.floor(random() * IMAGES);
    let sum = 0;
    for (const [draw, row] of rows.entries()) {
      const value = row[image]!;
      sums.drawSums[draw]! += value;
      sums.sumSquares += value ** 2;
      sum += value;
    }
    sums.imageSquares += sum ** 2;
  }
  return sums;
}

/** By draw, the cosine of every image. */
async function answersOf(layer: string): Promise<Float64Array[]> {
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: IMAGES });
  const settings = withDefaults({ trials: DRAWS, threads: 2 }, images);
  const layers = model.layers.filter(({ name }) => name === layer);
  const cells = planCells(layers, settings.resets, DRAWS);
  const { batch, threads } = settings;
  const options = { cells, context: settings, size: images.shape, batch, threads };
  const engine = await openFastEngine(model, options);
  const answers: Float64Array[] = [];
  await engine.evaluate(await readChunk(images, 0, IMAGES), cells, {
    original() {},
    cell({ trial }, rows) {
      answers[trial] = rows.column('cosine');
    },
  });
  await engine.close();
  await images.close();
  return answers;
}
