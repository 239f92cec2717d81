/**
 * Sweeps on several cards: scripts/test-emulated.mjs runs this with three emulated ones, of which the last has room for
 * nothing. Two real ones of a kind do for most of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { planCells } from '../../src/design/cells.js';
import type { EngineOptions } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { native } from '../../src/native/addon.js';
import type { ImageRows } from '../../src/native/columns.js';
import { parseReset } from '../../src/resets/parse.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { comparisonOf } from '../comparison.js';
import { example } from '../fixtures.js';

const { devices } = native().cuda();
const skip = devices.length > 1 ? false : 'there are not two cards';
const tiny = devices.findIndex(({ memoryBytes }) => memoryBytes < 2 ** 21);
/** Emulated cards are slow. */
t.setTimeout(600_000);
const IMAGES = 16;

const model = await loadModel(example('resnet.onnx'));

/** Bits of everything that comes back of a chunk of many small batches. */
async function bitsOn(cards: readonly number[], options: Partial<EngineOptions> = {}): Promise<Buffer> {
  const resets = await Promise.all(['random', 'shuffle'].map(parseReset));
  const layers = model.layers.filter((_, i) => i % 2 === 0);
  const cells = planCells(layers, resets, 1);
  const set = await openImages(example('images.npz'), { ...modelInput(model), images: IMAGES });
  const { channels, height, width } = set.shape;
  const images = new Float32Array(IMAGES * channels * height * width);
  await set.read(0, IMAGES, images);
  const chunk = { index: 0, count: IMAGES, images, height, width, labels: set.labels?.slice(0, IMAGES) };
  await set.close();
  const engine = await openFastEngine(model, {
    cells,
    context: { seed: 1, init: 'auto', norm: 'keep' },
    size: { height, width },
    batch: 3,
    threads: 1,
    cards,
    ...options,
  });
  const parts: Buffer[] = [];
  const put = (rows: ImageRows) => {
    for (const column of Object.values(comparisonOf(rows))) {
      if (ArrayBuffer.isView(column)) parts.push(Buffer.from(column.buffer));
    }
  };
  try {
    await engine.evaluate(chunk, cells, { original: put, cell: (_, rows) => put(rows) });
  } finally {
    await engine.close();
  }
  return Buffer.concat(parts);
}

t.test('two cards give the bits of one, in any order', { skip }, async (t) => {
  const one = await bitsOn([0]);
  t.ok(one.length > IMAGES * model.layers.length * 8);
  for (const cards of [[1], [0, 1], [1, 0]]) t.ok((await bitsOn(cards)).equals(one), `cards ${cards}`);
});

t.test('float16 goes over cards too', { skip }, async (t) => {
  const one = await bitsOn([1], { precision: 'fp16' });
  t.ok((await bitsOn([0, 1], { precision: 'fp16' })).equals(one));
  t.notOk((await bitsOn([1])).equals(one), 'and is not float32');
});

t.test('a card that fails names itself', { skip: tiny < 0 && 'no card is too small' }, async (t) => {
  for (const cards of [[tiny], [0, tiny], [tiny, 1]]) {
    await t.rejects(bitsOn(cards), {
      code: 'ERR_NATIVE',
      message: new RegExp(
        `^.*resnet.onnx: cuda:${tiny} has room for 1\\.\\d MB, and a sweep with 3 images a batch takes`,
      ),
    });
  }
});

async function run(t: Test, out: string, options: SweepOptions) {
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: IMAGES });
  t.teardown(() => images.close());
  return sweep(model, images, { out, trials: 1, batch: 3, layers: ['layer1.*'], ...options });
}

t.test('a run is the same on one card and on two, and goes on on either', { skip }, async (t) => {
  const folder = t.testdir({});
  const summaries: string[] = [];
  for (const device of ['cuda', 'cuda:0,1']) {
    const out = join(folder, device.replace(':', '-'));
    await run(t, out, { device });
    summaries.push(readFileSync(join(out, 'summary.json'), 'utf8'));
    const { environment, options } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    t.match(environment, {
      device: device === 'cuda' ? 'cuda:0' : device,
      cudnnSearch: 'heuristic',
      batch: 3,
    });
    t.equal(environment.cards.length, device === 'cuda' ? 1 : 2);
    t.match(options, { device: 'cuda', precision: 'fp32' });
  }
  t.equal(summaries[0], summaries[1]);
  await t.resolves(run(t, join(folder, 'cuda'), { device: 'cuda:1' }), 'done already');
  for (const precision of ['tf32', 'fp16'] as const) {
    await t.rejects(run(t, join(folder, 'cuda'), { device: 'cuda', precision }), {
      code: 'ERR_RUN',
      message: new RegExp(`holds another run \\(precision "fp32", now "${precision}"\\)`),
    });
  }
});

t.test('all cards are those that there are', { skip }, async (t) => {
  const out = join(t.testdir({}), 'run');
  // A card with too little room for it may get a batch, or none.
  await run(t, out, { device: 'cuda:all' }).catch(() => {});
  const { environment } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  t.equal(environment.device, `cuda:${devices.map((_, i) => i).join()}`);
});
