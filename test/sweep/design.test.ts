import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { parseReset } from '../../src/resets/parse.js';
import { readRun } from '../../src/run/read-run.js';
import { baselineWarning } from '../../src/sweep/baseline.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example, fixture } from '../fixtures.js';

const model = await loadModel(example('resnet.onnx'));
const layers = ['conv1', 'layer3.2.conv2', 'fc'];

async function go(options: SweepOptions, images = 600) {
  const set = await openImages(example('images.npz'), { ...modelInput(model), images });
  try {
    return await sweep(model, set, { layers, threads: 2, ...options });
  } finally {
    await set.close();
  }
}

t.test('by default every 8 images have a draw of their own', async (t) => {
  const { summary, draws } = await go({}, 100);
  t.match(summary.options, { imagesPerDraw: 8, trials: 1 });
  t.equal(draws.length, 3 * 13);
  for (const layer of summary.layers) {
    t.match(layer, { images: 100, draws: 13, passes: 100, stoppedAt: null });
    t.match(layer.criticality, { interval: 'student' });
    const { mean, low, high, sdDraws, sdImages } = layer.criticality;
    t.ok(low! < mean! && mean! < high! && sdDraws! >= 0 && sdImages! > 0);
  }
  const changes = draws.filter(({ layer }) => layer === 'fc').map(({ change }) => change);
  t.equal(new Set(changes).size, 13, 'each draw moves the weights by another amount');
  t.equal(draws.at(-1)?.images, 4, 'the last slice has what is left');
});

t.test('draws are those of the crossed design: a slice and a trial have their number', async (t) => {
  const crossed = await go({ trials: 4 }, 16);
  const fresh = await go({ imagesPerDraw: 8, trials: 2 }, 16);
  const changes = ({ draws }: typeof crossed) =>
    draws.map(({ layer, draw, change }) => [layer, draw, change]);
  // One is proven in float64 sums of its own, the other with all draws of a chunk.
  for (const [i, [layer, draw, change]] of changes(fresh).entries()) {
    const [wantedLayer, wantedDraw, wanted] = changes(crossed)[i]!;
    t.strictSame([layer, draw], [wantedLayer, wantedDraw]);
    t.ok(Math.abs(Number(change) - Number(wanted)) < 1e-9);
  }
});

t.test(
  'numbers do not depend on the batch, nor bytes on the threads, with and without a tolerance',
  async (t) => {
    const dir = t.testdir({});
    const text = (name: string) => readFileSync(join(dir, name, 'summary.json'), 'utf8');
    for (const more of [{}, { tolerance: 8 }]) {
      const name = JSON.stringify(more).replaceAll(/\W/g, '-');
      for (const threads of [1, 4]) await go({ ...more, threads, out: join(dir, `${name}-${threads}`) });
      t.equal(text(`${name}-4`), text(`${name}-1`));
      const [one, eight, many] = await Promise.all([1, 8, 64].map((batch) => go({ ...more, batch })));
      for (const other of [one!, many!]) {
        t.strictSame(
          other.draws.map(({ agreementCount }) => agreementCount),
          eight!.draws.map(({ agreementCount }) => agreementCount),
        );
        for (const [i, { stoppedAt, criticality }] of other.summary.layers.entries()) {
          t.equal(stoppedAt, eight!.summary.layers[i]!.stoppedAt);
          t.ok(Math.abs(criticality.mean! - eight!.summary.layers[i]!.criticality.mean!) < 1e-4);
        }
      }
    }
  },
);

t.test('a layer stops where it is known, and nothing beyond that counts', async (t) => {
  const out = join(t.testdir({}), 'run');
  const { summary, draws } = await go({ tolerance: 8, out });
  const stops = summary.layers.map(({ stoppedAt }) => stoppedAt);
  t.ok(
    stops.every((stop) => stop !== null && stop < 600),
    `${stops}`,
  );
  t.ok(new Set(stops).size > 1, 'each where it is known');
  for (const { layer, stoppedAt, images, passes, criticality } of summary.layers) {
    t.equal(images, stoppedAt);
    t.equal(passes, stoppedAt);
    t.equal(draws.filter((draw) => draw.layer === layer).length, stoppedAt! / 8);
    t.equal(criticality.interval, 'betting');
    t.ok((criticality.high! - criticality.low!) / 2 <= 8 + 1e-9);
  }
  const narrower = await go({ tolerance: 8, simultaneous: true });
  for (const [i, { stoppedAt }] of narrower.summary.layers.entries())
    t.ok(!stoppedAt || stoppedAt > stops[i]!);
  t.equal((await readRun(out)).matrix('criticality').shape[1], Math.max(...stops.map(Number)) / 8);
});

t.test(
  'stopped or killed at any place it goes on to the same bytes, with and without a tolerance',
  async (t) => {
    const dir = t.testdir({});
    for (const more of [{}, { tolerance: 8 }]) {
      const whole = join(dir, `whole-${Object.keys(more)}`);
      await go({ ...more, out: whole });
      const journal = readFileSync(join(whole, 'cells.ndjson'));
      for (const share of [0.1, 0.4, 0.8]) {
        const out = join(dir, `cut-${Object.keys(more)}-${share}`);
        await go({ ...more, out });
        writeFileSync(join(out, 'cells.ndjson'), journal.subarray(0, Math.floor(journal.length * share)));
        await go({ ...more, out });
        for (const file of ['summary.json', 'results.csv', 'draws.csv']) {
          t.equal(
            readFileSync(join(out, file), 'utf8'),
            readFileSync(join(whole, file), 'utf8'),
            `${file} ${share}`,
          );
        }
      }
    }
  },
);

t.test(
  'slices are of images in a random order, as images.csv has them; crossed draws see them as they are',
  async (t) => {
    const dir = t.testdir({});
    const order = async (name: string, options: SweepOptions) => {
      await go({ ...options, layers: ['fc'], out: join(dir, name) }, 100);
      const lines = readFileSync(join(dir, name, 'images.csv'), 'utf8')
        .trim()
        .split('\n')
        .slice(1);
      return lines.map((line) => Number(line.split(',')[0]));
    };
    const crossed = await order('crossed', { trials: 1 });
    const sliced = await order('sliced', {});
    const ascending = (indices: number[]) => indices.toSorted((a, b) => a - b);
    t.strictSame(crossed, ascending(crossed));
    t.strictSame(ascending(sliced), crossed, 'the same sample');
    t.notSame(sliced, crossed);
  },
);

t.test('a reset without randomness has one draw, and its interval covers images', async (t) => {
  const { summary, draws } = await go({ resets: [await parseReset('zero')] }, 200);
  t.equal(draws.length, 3);
  for (const layer of summary.layers) {
    t.match(layer, {
      draws: 1,
      passes: 200,
      criticality: { interval: 'images', sdDraws: null, sdTrial: null },
    });
  }
});

t.test('one draw of all images is not said to cover others', async (t) => {
  const { summary } = await go({ trials: 1 }, 100);
  for (const { criticality } of summary.layers) t.equal(criticality.interval, 'images');
});

t.test('designs that contradict each other are refused', async (t) => {
  const refused = (options: SweepOptions, message: RegExp) =>
    t.rejects(go(options, 10), { code: 'ERR_OPTION', message });
  await refused({ published: true, trials: 5 }, /--published is a design of its own/);
  await refused({ tolerance: 2, trials: 3 }, /--tolerance needs draws/);
  await refused({ tolerance: 0 }, /tolerance must be a number from 0.1 to 50/);
  await refused({ imagesPerDraw: 0 }, /imagesPerDraw must be a whole number from 1, or all/);
  const { summary } = await go({ published: true }, 20);
  t.match(summary.options, { imagesPerDraw: 'all', trials: 3 });
  t.equal(summary.layers[0]?.draws, 3);
});

t.test('a model that is no better than chance is told of', async (t) => {
  const { summary, warnings } = await go({ layers: ['fc'] }, 200);
  t.notMatch(warnings.join(), /guessing/);
  t.equal(baselineWarning(summary, 10), null);
  const withTop1 = (top1: number) => ({ ...summary, baseline: { ...summary.baseline!, top1 } });
  t.match(
    baselineWarning(withTop1(11), 10),
    /right on 11.0 % of the images, no more than by guessing among 10/,
  );
  t.equal(baselineWarning(withTop1(25), 10), null);
  const ofFew = { ...withTop1(62.5), data: { ...summary.data, images: 8 } };
  t.match(
    baselineWarning(ofFew, 4),
    /right on 62.5 % of 8 images, too few to tell it from the 25.0 % of guessing among 4 classes; give more/,
  );
  t.equal(baselineWarning({ ...summary, baseline: null }, 10), null);
});

t.test('crossed draws give what they gave before slices', async (t) => {
  const golden = readFileSync(fixture('crossed-results.csv'), 'utf8').trim().split('\n').slice(1);
  const set = await openImages(example('images.npz'), { ...modelInput(model), images: 'all' });
  const { draws } = await sweep(model, set, { trials: 3 });
  await set.close();
  t.equal(draws.length, golden.length);
  for (const [i, line] of golden.entries()) {
    const [top1, , loss, , layer, cosine, l1, , , trial] = line.split(',');
    const row = draws[i]!;
    t.strictSame([row.layer, String(row.draw)], [layer, trial]);
    // Kernels differ between processors in their last bits.
    for (const [found, wanted] of [
      [row.top1, top1],
      [row.loss, loss],
      [row.cosine, cosine],
      [row.l1, l1],
    ] as const) {
      t.ok(
        Math.abs(found! - Number(wanted)) < 1e-4 * Math.max(1, Math.abs(Number(wanted))),
        `${layer} ${trial}`,
      );
    }
  }
});
