/** Sweeps on a card (a real one, or the emulated one of scripts/test-emulated.mjs) against the reference engine. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { slicesOf } from '../../src/design/slices.js';
import { furthest } from '../../src/engines/check.js';
import type { Engine, EngineOptions } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { type Comparison, native } from '../../src/native/addon.js';
import { columns } from '../../src/native/columns.js';
import { type EngineImages, onnxruntimeLibrary } from '../../src/native/engine.js';
import { nativeEngine } from '../../src/native/open-engine.js';
import { parseReset } from '../../src/resets/parse.js';
import { readChunk } from '../../src/sweep/chunks-ahead.js';
import { comparisonOf } from '../comparison.js';
import { CLASSES, noise, product, productKeys, products } from '../cpp/engine/models.js';
import { example } from '../fixtures.js';

const { devices, reason } = native().cuda();
const skip = devices.length > 0 ? false : (reason ?? 'there is no card');

const IMAGES = 12;

/** Float32 sums in the order of other kernels: tens of times what two of the processor's differ by. */
const CLOSE = 1e-4;

t.test('on a card every reset gives the predictions of the reference engine', { skip }, async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const words = ['random', 'zero', 'constant=0.01', 'shuffle', 'noise=0.1', 'quantize=int4', 'prune=0.5'];
  const resets = await Promise.all(words.map(parseReset));
  const cells = planCells(model.layers, resets, 1);
  const set = await openImages(example('images.npz'), {
    ...modelInput(model),
    images: IMAGES,
    labels: 'none',
  });
  const labels = Int32Array.from({ length: IMAGES }, (_, i) => (7 * i) % 10);
  const read = { ...(await readChunk(set, 0, IMAGES)), labels };
  await set.close();
  const crossed = { imagesPerDraw: 'all', trials: 1 } as const;
  for (const { norm, design, batch } of [
    { norm: 'keep', design: crossed, batch: 5 },
    { norm: 'reset', design: crossed, batch: 5 },
    // Four slices in a batch, and the last batch lacks two of them.
    { norm: 'keep', design: { imagesPerDraw: 2, trials: 1 }, batch: 8 },
  ] as const) {
    const chunk = { ...read, slices: slicesOf(design, 0, IMAGES) };
    const context = { seed: 3, init: 'auto', norm } as const;
    const evaluate = async (
      open: (m: typeof model, o: EngineOptions) => Promise<Engine>,
      cards?: readonly number[],
    ) => {
      const found = new Map<number, Comparison>();
      const engine = await open(model, {
        cells,
        context,
        design,
        size: set.shape,
        batch,
        threads: 2,
        cards,
      });
      try {
        for (const part of [cells, cells.filter((_, i) => i % 3 === 1)]) {
          await engine.evaluate(chunk, part, {
            original: (rows) => void found.set(-1, comparisonOf(rows)),
            cell: (cell, rows) => void found.set(cell.index, comparisonOf(rows)),
          });
        }
      } finally {
        await engine.close();
      }
      return found;
    };
    const wanted = await evaluate(openReferenceEngine);
    const found = await evaluate(openFastEngine, [0]);
    t.equal(found.size, cells.length + 1);
    const wrong: string[] = [];
    for (const [index, expected] of wanted) {
      const got = found.get(index)!;
      const name = index < 0 ? 'the original' : `${cells[index]!.layer.name} ${cells[index]!.reset.label}`;
      if (got.agreement !== expected.agreement || got.invalid !== expected.invalid)
        wrong.push(`${name}: counts`);
      for (const column of ['cosine', 'l1', 'l2', 'kl', 'js', 'loss'] as const) {
        const worst = Math.max(
          ...expected[column]!.map((v, i) => Math.abs(v - got[column]![i]!) / Math.max(1, v)),
        );
        if (!(worst <= CLOSE)) wrong.push(`${name}: ${column} is off by ${worst}`);
      }
    }
    t.strictSame(wrong, [], `norm ${norm}`);
  }
});

t.test("on a card float32 is float32: the demo's logits", { skip }, async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const set = await openImages(example('images.npz'), { ...modelInput(model), images: 64 });
  const chunk = await readChunk(set, 0, 64);
  await set.close();
  const context = { seed: 3, init: 'auto', norm: 'keep' } as const;
  const options = { cells: [], context, size: set.shape, batch: 64, threads: 1 };
  const engines = [
    await openReferenceEngine(model, options),
    await openFastEngine(model, { ...options, cards: [0] }),
  ];
  const [expected, found] = await Promise.all(engines.map((engine) => engine.original(chunk, 64)));
  await Promise.all(engines.map((engine) => engine.close()));
  const { distance } = furthest(found!, expected!.logits);
  t.ok(distance <= 1e-5, `off by ${distance} of a row's largest`);
});

t.test('on a card the original logits are those of the processor, between batches', { skip }, async (t) => {
  const [batch, cells] = [3, 4];
  const images = noise(batch * CLASSES, 3n);
  const run = async (device: { cards?: number[] }) => {
    const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, ...device });
    await engine.addSession(product(batch), 'product');
    await engine.load(products(batch, cells));
    const active = new Uint8Array(cells).fill(1);
    const rows = () => engine.execute(images, batch, undefined, active, productKeys(cells));
    const logits = () => engine.logits(images.subarray(0, 2 * CLASSES), 2);
    const found = await Promise.all([rows(), logits(), rows(), logits(), logits()]);
    await engine.close();
    return found;
  };
  const [onCard, expected] = [await run({ cards: [0] }), await run({})];
  for (const [i, wanted] of expected.entries()) {
    const found = onCard[i]!;
    t.equal(found.length, wanted.length);
    const far = wanted.map((one, at) => (Number.isNaN(one) ? 0 : Math.abs(one - found[at]!)));
    t.ok(Math.max(...far) < CLOSE, `${i}: off by ${Math.max(...far)}`);
  }
});

t.test(
  'on a card logits are kept beside rows, those of every cell that was asked for',
  { skip },
  async (t) => {
    const [batch, cells, count] = [3, 4, 2];
    const images = noise(count * CLASSES, 5n);
    const active = Uint8Array.of(1, 0, 1, 1);
    const run = async (device: { cards?: number[] }) => {
      const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, ...device });
      await engine.addSession(product(batch), 'product');
      await engine.load(products(batch, cells));
      const kept = () => engine.execute(images, count, undefined, active, productKeys(cells), true);
      const found = await Promise.all([kept(), kept(), engine.logits(images, count, 2, productKeys(cells))]);
      await engine.close();
      return found;
    };
    const [found, again, alone] = (await run({ cards: [0] })) as [Float64Array, Float64Array, Float64Array];
    const wanted = (await run({}))[0]!;
    const [rows, block] = [(cells + 1) * count * columns.length, count * CLASSES];
    t.equal(found.length, rows + (cells + 1) * block);
    t.strictSame(again, found, 'batches that are under way together do not mix');
    const logitsOf = (all: Float64Array, cell: number) =>
      all.slice(rows + (cell + 1) * block, rows + (cell + 2) * block);
    t.strictSame(logitsOf(found, 2), alone);
    t.ok(logitsOf(found, 1).every(Number.isNaN), 'not asked for');
    for (const cell of [-1, 0, 2, 3]) {
      const far = logitsOf(found, cell).map((value, i) => Math.abs(value - logitsOf(wanted, cell)[i]!));
      t.ok(Math.max(...far) < CLOSE, `cell ${cell}: off by ${Math.max(...far)}`);
    }
  },
);

t.test('on a card a batch begins before the last is done, and none disturbs another', { skip }, async (t) => {
  const [batch, cells] = [3, 60];
  // Whole batches and short ones, pixels and tensors, labels now and then.
  const jobs = Array.from({ length: 11 }, (_, i) => {
    const count = i % 4 === 3 ? 1 + (i % 2) : batch;
    const floats = noise(count * CLASSES, BigInt(i + 1));
    const pixels = Uint8Array.from(floats, (value) => 128 + 40 * value);
    const images: EngineImages = i % 3 === 1 ? floats : { pixels, table: noise(256, BigInt(50 + i)) };
    const labels =
      i % 2 === 0 ? Int32Array.from({ length: count }, (_, at) => (i + at) % CLASSES) : undefined;
    const active = Uint8Array.from({ length: cells }, (_, cell) => (i % 5 === 2 && cell % 2 === 0 ? 0 : 1));
    return { images, count, labels, active };
  });
  const run = async (device: { cards?: number[] }) => {
    const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, ...device });
    await engine.addSession(product(batch), 'product');
    await engine.load(products(batch, cells));
    let done = false;
    let most = 0;
    const rows = Promise.all(
      jobs.map(({ images, count, labels, active }) =>
        engine.execute(images, count, labels, active, productKeys(cells)),
      ),
    ).finally(() => {
      done = true;
    });
    while (!done) {
      most = Math.max(most, engine.stats().running);
      await setImmediate();
    }
    const found = await rows;
    await engine.close();
    return { found, most };
  };
  const wanted = await run({});
  const { found, most } = await run({ cards: [0] });
  // The processor may be done before anyone looks.
  t.ok(wanted.most <= 1, 'one batch at a time, of one worker');
  t.equal(most, 2, 'and two on a card');
  for (const [i, rows] of found.entries()) {
    const expected = wanted.found[i]!;
    t.equal(rows.length, (cells + 1) * jobs[i]!.count * columns.length);
    const off = rows.findIndex((value, at) => {
      const other = expected[at]!;
      return (
        Number.isNaN(value) !== Number.isNaN(other) ||
        Math.abs(value - other) > CLOSE * Math.max(1, Math.abs(other))
      );
    });
    t.equal(off, -1, `batch ${i}`);
  }
});

t.test(
  'on a card two engines at once, which share its memory, do not disturb each other',
  { skip },
  async (t) => {
    const [batch, cells] = [3, 40];
    const opened = async () => {
      const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, cards: [0] });
      await engine.addSession(product(batch), 'product');
      await engine.load(products(batch, cells));
      return engine;
    };
    const active = new Uint8Array(cells).fill(1);
    const run = (engine: typeof first, key: bigint) =>
      engine.execute(noise(batch * CLASSES, key), batch, undefined, active, productKeys(cells));
    const first = await opened();
    const alone = [await run(first, 1n), await run(first, 2n)];
    const second = await opened();
    for (let round = 0; round < 3; round++) {
      const [a, b, c, d] = await Promise.all([
        run(first, 1n),
        run(second, 2n),
        run(second, 1n),
        run(first, 2n),
      ]);
      t.strictSame([a, d], alone);
      t.strictSame([c, b], alone);
    }
    await first.close();
    await second.close();
  },
);

t.test('on a card batches that are cancelled leave the later ones whole', { skip }, async (t) => {
  const [batch, cells] = [2, 300];
  const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, cards: [0] });
  t.teardown(() => engine.close());
  await engine.addSession(product(batch), 'product');
  await engine.load(products(batch, cells));
  const pixels = Uint8Array.from({ length: batch * CLASSES }, (_, i) => 23 * i);
  const run = (key: bigint) =>
    engine.execute(
      { pixels, table: noise(256, key) },
      batch,
      undefined,
      new Uint8Array(cells).fill(1),
      productKeys(cells),
    );
  const alone = await run(1n);
  for (let round = 0; round < 3; round++) {
    const ended = Promise.allSettled([run(2n), run(3n), run(4n)]);
    while (engine.stats().running < 1) await setImmediate();
    if (round > 0) while (engine.stats().running === 1) await setImmediate();
    engine.cancel();
    for (const result of await ended) {
      if (result.status === 'rejected') t.match(result.reason, { code: 'ERR_CANCELLED' });
    }
    t.strictSame(await run(1n), alone, `after round ${round}`);
  }
});
