import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { native } from '../../../src/native/addon.js';
import { type ColumnName, columns } from '../../../src/native/columns.js';
import { type EngineImages, type EngineStep, onnxruntimeLibrary } from '../../../src/native/engine.js';
import { nativeEngine } from '../../../src/native/open-engine.js';
import type { ResetRule } from '../../../src/native/reset-rule.js';
import {
  CLASSES,
  elsewhere,
  model,
  noise,
  openWeight,
  port,
  product,
  productKeys,
  products,
} from './models.js';

const addon = native();
const library = onnxruntimeLibrary();
const COLUMNS = columns.length;
function open(t: Test, threads = 2) {
  const engine = nativeEngine.open({ library, threads });
  t.teardown(() => engine.close());
  return engine;
}

async function productEngine(t: Test, { threads = 2, batch = 2, cells = 1 } = {}) {
  const engine = open(t, threads);
  await engine.addSession(product(batch), 'product');
  await engine.load(products(batch, cells));
  return engine;
}

t.test('each slice of a batch has its own keys, and one without images is left out', async (t) => {
  const [batch, slices] = [4, 2];
  const rows = batch / slices;
  const engine = open(t, 1);
  await engine.addSession(product(batch), 'whole');
  await engine.addSession(product(rows), 'slice');
  const { slots, steps, ...program } = products(batch, 1);
  const bytes = rows * CLASSES * Float32Array.BYTES_PER_ELEMENT;
  const views = [0, 4].flatMap((slot) =>
    [0, 1].map((i) => ({
      ...{ type: 1, dims: slot === 0 ? [rows, 1, 1, CLASSES] : [rows, CLASSES] },
      view: { slot, offset: i * bytes },
    })),
  );
  const [source, original, reset, , compare] = steps;
  const inSlices = [0, 1].flatMap((slice): EngineStep[] => [
    { ...(reset as EngineStep & { kind: 'reset' }), slice },
    { kind: 'run', session: 1, inputs: [5 + slice, 3], outputs: [7 + slice], cell: 0, slice },
  ]);
  await engine.load({
    ...{ ...program, slices, slots: [...slots, ...views] },
    steps: [source!, original!, ...inSlices, compare!],
  });
  const alone = await productEngine(t, { batch: rows });
  const images = noise(batch * CLASSES, 9n);
  const keys = [3n, 5n];
  const ofCell = (found: Float64Array, count: number) => found.subarray(count * COLUMNS);
  const active = Uint8Array.of(1);
  for (const count of [4, 3, 2, 1]) {
    const { computed } = engine.stats();
    const given = images.subarray(0, count * CLASSES);
    const found = await engine.execute(given, count, undefined, active, BigUint64Array.from(keys));
    t.equal(engine.stats().computed - computed, count);
    for (let slice = 0; slice * rows < count; slice++) {
      const [from, to] = [slice * rows, Math.min(count, (slice + 1) * rows)];
      const own = images.subarray(from * CLASSES, to * CLASSES);
      const wanted = await alone.execute(own, to - from, undefined, active, BigUint64Array.of(keys[slice]!));
      t.strictSame(
        ofCell(found, count).subarray(from * COLUMNS, to * COLUMNS),
        ofCell(wanted, to - from),
        `${count} images, slice ${slice}`,
      );
    }
  }
  await t.rejects(engine.execute(images, batch, undefined, active, BigUint64Array.of(1n)), {
    message: /keys must have the program's 2 elements/,
  });
});

t.test('a cell of the shipped model equals the model with patched weights', async (t) => {
  const batch = 3;
  const { whole, open: openModel, patched, input, dims, values } = await openWeight();
  const images = noise(batch * 28 * 28, 5n);
  const labels = Int32Array.of(0, 3, -1);
  const rule: ResetRule = { kind: 'uniform', low: -0.1, high: 0.1, key: 77n };
  const weight = values.slice();
  addon.reset(weight, rule);

  const reference = async (bytes: Uint8Array) => {
    // As far as the engine optimises.
    const options = {
      graphOptimizationLevel: 'extended',
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
    } as const;
    const session = await InferenceSession.create(bytes, options);
    const result = await session.run({ [input]: new Tensor('float32', images, [batch, 1, 28, 28]) });
    await session.release();
    return Object.values(result)[0]?.data as Float32Array;
  };
  const original = await reference(whole);
  const expected = addon.compare(original, await reference(patched(weight)), 10, labels);

  const engine = open(t);
  await Promise.all([engine.addSession(whole, 'whole'), engine.addSession(openModel, 'open')]);
  await engine.load({
    slots: [
      { type: 1, dims: [batch, 1, 28, 28] },
      { type: 1, dims: [batch, 10] },
      { type: 1, dims },
      { type: 1, dims: [batch, 10] },
    ],
    constants: [values],
    cells: 1,
    keys: 1,
    input: 0,
    logits: 1,
    steps: [
      { kind: 'run', session: 0, inputs: [0], outputs: [1] },
      { kind: 'reset', slot: 2, source: 0, rule: { ...rule, key: 0 }, cell: 0 },
      { kind: 'run', session: 1, inputs: [0, 2], outputs: [3], cell: 0 },
      { kind: 'compare', slot: 3, cell: 0 },
    ],
  });
  const rows = await engine.execute(images, batch, labels, Uint8Array.of(1), BigUint64Array.of(rule.key));
  t.equal(rows.length, 2 * batch * COLUMNS);
  for (let image = 0; image < batch; image++) {
    const cell = Object.fromEntries(
      columns.map(({ name }, c) => [name, rows[(batch + image) * COLUMNS + c]]),
    );
    // The weight is an input here and a constant there, which are different kernels.
    for (const name of ['cosine', 'l1', 'l2', 'kl', 'js', 'publishedCrossEntropy'] as const) {
      t.ok(Math.abs((cell[name] ?? Number.NaN) - (expected[name][image] as number)) < 1e-4, name);
    }
    t.equal(cell.agree, expected.agree[image]);
    t.equal(cell.invalid, 0);
    t.equal(cell.top1, expected.top1?.[image]);
    const loss = addon.compare(original, original, 10, labels).loss?.[image];
    t.ok(Object.is(rows[image * COLUMNS + 10], loss), 'the original has the same bits');
    t.equal(rows[image * COLUMNS], 1);
  }
});

t.test('results have the same bits for any number of threads and any order', async (t) => {
  const images = Array.from({ length: 9 }, (_, i) => noise(2 * CLASSES, BigInt(i + 1)));
  const active = new Uint8Array(5).fill(1);
  const [one, ...others] = await Promise.all(
    [1, 2, 5].map(async (threads) => {
      const engine = await productEngine(t, { threads, cells: 5 });
      return Promise.all(
        images.map((batch) => engine.execute(batch, 2, undefined, active, productKeys(active.length))),
      );
    }),
  );
  const bytes = (rows?: Float64Array[]) => rows?.map((row) => Buffer.from(row.buffer).toString('hex'));
  for (const other of others) t.strictSame(bytes(other), bytes(one));
});

t.test('logits are kept beside rows where that is asked for, and are those that are compared', async (t) => {
  const engine = await productEngine(t, { batch: 4, cells: 3 });
  const images = noise(3 * CLASSES, 9n);
  const [active, keys] = [Uint8Array.of(1, 0, 1), productKeys(3)];
  const rows = await engine.execute(images, 3, undefined, active, keys);
  const kept = await engine.execute(images, 3, undefined, active, keys, true);
  t.equal(kept.length, rows.length + 4 * 3 * CLASSES);
  t.strictSame(kept.slice(0, rows.length), rows);
  const blockOf = (block: number) =>
    kept.subarray(rows.length + block * 3 * CLASSES, rows.length + (block + 1) * 3 * CLASSES);
  t.strictSame([...blockOf(0)], [...(await engine.logits(images, 3))]);
  t.strictSame([...blockOf(3)], [...(await engine.logits(images, 3, 2, keys))]);
  t.ok(blockOf(2).every(Number.isNaN), 'of a cell that is not active');
  const wrong = 1 as unknown as boolean;
  await t.rejects(engine.execute(images, 3, undefined, active, keys, wrong), {
    name: 'TypeError',
    message: 'logits must be a boolean',
  });
});

t.test('a short batch gives the rows of its images only, the same as in a whole batch', async (t) => {
  const engine = await productEngine(t, { batch: 4, cells: 2 });
  const images = noise(4 * CLASSES, 9n);
  const active = Uint8Array.of(1, 1);
  const all = await engine.execute(images, 4, undefined, active, productKeys(active.length));
  const some = await engine.execute(
    images.subarray(0, 3 * CLASSES),
    3,
    undefined,
    active,
    productKeys(active.length),
  );
  t.equal(some.length, 3 * 3 * COLUMNS);
  for (let cell = 0; cell < 3; cell++) {
    t.strictSame(
      some.slice(cell * 3 * COLUMNS, (cell + 1) * 3 * COLUMNS),
      all.slice(cell * 4 * COLUMNS, (cell * 4 + 3) * COLUMNS),
    );
  }
});

t.test('the original logits are the product itself, also of a short batch', async (t) => {
  const engine = await productEngine(t, { batch: 4, cells: 2 });
  const images = noise(3 * CLASSES, 9n);
  const weight = noise(CLASSES * CLASSES, 100n);
  const logits = await engine.logits(images, 3);
  t.equal(logits.length, 3 * CLASSES);
  for (const [at, logit] of logits.entries()) {
    const [image, c] = [Math.floor(at / CLASSES), at % CLASSES];
    let sum = 0;
    for (let i = 0; i < CLASSES; i++) sum += images[image * CLASSES + i]! * weight[i * CLASSES + c]!;
    t.ok(Math.abs(logit - sum) < 1e-5, `${logit} is ${sum}`);
  }
  const keys = BigUint64Array.of(1n, 2n);
  const rows = await engine.execute(images, 3, undefined, Uint8Array.of(1, 0), keys);
  t.equal(rows.length, 3 * 3 * COLUMNS, 'and the next batch gives rows again');
});

t.test("a cell's logits are those that its rows compare with the original's", async (t) => {
  const engine = await productEngine(t, { batch: 4, cells: 3 });
  const images = noise(3 * CLASSES, 9n);
  const keys = productKeys(3);
  const original = Float32Array.from(await engine.logits(images, 3));
  const rows = await engine.execute(images, 3, undefined, Uint8Array.of(1, 1, 1), keys);
  for (const cell of [0, 2]) {
    const logits = await engine.logits(images, 3, cell, keys);
    t.equal(logits.length, 3 * CLASSES);
    const compared = addon.compare(original, Float32Array.from(logits), CLASSES);
    for (let image = 0; image < 3; image++) {
      const row = rows.subarray(((cell + 1) * 3 + image) * COLUMNS);
      const at = (name: ColumnName) => row[columns.findIndex((column) => column.name === name)];
      t.equal(at('l1'), compared.l1[image]);
      t.equal(at('kl'), compared.kl[image]);
      t.ok(compared.l1[image]! > 0);
    }
  }
  t.strictSame(Float32Array.from(await engine.logits(images, 3)), original, 'the original is as it was');
});

t.test('pixels give the bits of their normalised floats, also in a short batch', async (t) => {
  // One image of 2 x 2 pixels of 3 channels has the 12 values that one of 12 classes takes.
  const [batch, channels, height, width] = [3, 3, 2, 2];
  const values = channels * height * width;
  const engine = open(t);
  const flat = model(
    [['Flatten', ['images'], ['logits']]],
    [port('images', [batch, channels, height, width])],
    [port('logits', [batch, values])],
  );
  await engine.addSession(flat, 'flat');
  await engine.load({
    slots: [
      { type: 1, dims: [batch, channels, height, width] },
      { type: 1, dims: [batch, values] },
      { type: 1, dims: [batch, values] },
    ],
    constants: [],
    cells: 1,
    input: 0,
    logits: 1,
    steps: [
      { kind: 'run', session: 0, inputs: [0], outputs: [1] },
      { kind: 'reset', slot: 2, rule: { kind: 'constant', value: 1 }, cell: 0 },
      { kind: 'compare', slot: 2, cell: 0 },
    ],
  });
  const table = noise(256 * channels, 6n);
  const pixels = Uint8Array.from({ length: batch * values }, (_, i) => (i * 91 + 5) & 255);
  const floats = new Float32Array(pixels.length);
  for (let image = 0; image < batch; image++) {
    addon.normalize(pixels.subarray(image * values, (image + 1) * values), table, floats, image * values);
  }
  for (const count of [3, 1, 2]) {
    const labels = Int32Array.from({ length: count }, (_, i) => 5 * i);
    const run = (images: EngineImages) => engine.execute(images, count, labels, Uint8Array.of(1));
    const found = await run({ pixels: pixels.subarray(0, count * values), table });
    const wanted = await run(floats.subarray(0, count * values));
    t.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)), `${count} images`);
    t.notOk(Number.isNaN(found[COLUMNS * count]), 'and they are numbers');
  }
});

t.test('cells that are not active, and labels that are not given, are NaN', async (t) => {
  const engine = await productEngine(t, { cells: 3 });
  const rows = await engine.execute(
    noise(2 * CLASSES, 1n),
    2,
    undefined,
    Uint8Array.of(0, 1, 0),
    productKeys(3),
  );
  const block = (i: number) => rows.subarray(i * 2 * COLUMNS, (i + 1) * 2 * COLUMNS);
  t.ok(block(1).every(Number.isNaN) && block(3).every(Number.isNaN));
  t.notOk(block(2).subarray(0, 8).some(Number.isNaN));
  t.ok(block(2).subarray(8, 11).every(Number.isNaN));
});

t.test('a row with NaN is invalid and agrees with nothing', async (t) => {
  const engine = await productEngine(t);
  const images = noise(2 * CLASSES, 1n);
  images[5] = Number.NaN;
  const rows = await engine.execute(images, 2, undefined, Uint8Array.of(1), productKeys(1));
  const at = (row: number, name: ColumnName) =>
    rows[row * COLUMNS + columns.findIndex((column) => column.name === name)];
  t.strictSame([at(0, 'invalid'), at(1, 'invalid'), at(3, 'invalid')], [0, 1, 1]);
  t.strictSame([at(0, 'agree'), at(1, 'agree')], [1, 0]);
});

t.test('weights given as external initialisers are shared by sessions', async (t) => {
  const engine = open(t);
  const batch = 1;
  const weight = noise(CLASSES * CLASSES, 3n);
  const bytes = model(
    [
      ['Flatten', ['images'], ['rows']],
      ['MatMul', ['rows', 'w'], ['logits']],
    ],
    [port('images', [batch, 1, 1, CLASSES])],
    [port('logits', [batch, CLASSES])],
    [elsewhere('w')],
  );
  const externals = [{ name: 'w', values: weight, dims: [CLASSES, CLASSES] }];
  await Promise.all(['a', 'b'].map((name) => engine.addSession(bytes, name, { externals })));
  t.equal(engine.stats().constantBytes, 64);
  const dims = [batch, CLASSES];
  await engine.load({
    slots: [{ type: 1, dims: [batch, 1, 1, CLASSES] }, ...[0, 1].map(() => ({ type: 1, dims }))],
    constants: [],
    cells: 1,
    input: 0,
    logits: 1,
    steps: [
      { kind: 'run', session: 0, inputs: [0], outputs: [1] },
      { kind: 'run', session: 1, inputs: [0], outputs: [2] },
      { kind: 'compare', slot: 2, cell: 0 },
    ],
  });
  const images = noise(CLASSES, 4n);
  const rows = await engine.execute(images, 1, Int32Array.of(2), Uint8Array.of(1));
  const logits = Float32Array.from({ length: CLASSES }, (_, c) =>
    images.reduce((sum, x, i) => sum + x * (weight[i * CLASSES + c] ?? 0), 0),
  );
  const loss = addon.compare(logits, logits, CLASSES, Int32Array.of(2)).loss?.[0] as number;
  t.ok(Math.abs((rows[COLUMNS + 10] as number) - loss) < 1e-5);
  await t.rejects(engine.addSession(bytes, 'c', { externals: [{ ...externals[0]!, dims: [2, 2] }] }), {
    name: 'RangeError',
  });
  await t.rejects(engine.addSession(bytes, 'c'), { message: /session c: / });
});

t.test('an error names the session and the cell, and the engine goes on', async (t) => {
  const engine = open(t);
  // Open dimensions, so only the run can find that 4 x 4 does not go with 5.
  const open4 = model(
    [
      ['Flatten', ['images'], ['rows']],
      ['MatMul', ['rows', 'weight'], ['logits']],
    ],
    [port('images', [1, 1, 1, CLASSES]), port('weight', [0, 0])],
    [port('logits', [1, CLASSES])],
  );
  await Promise.all([engine.addSession(product(1), 'good'), engine.addSession(open4, 'bad')]);
  const program = products(1, 2);
  program.slots.push({ type: 1, dims: [5, 4] });
  program.steps.push({ kind: 'reset', slot: 5, rule: { kind: 'constant', value: 1 }, cell: 1 });
  program.steps.push({ kind: 'run', session: 1, inputs: [0, 5], outputs: [4], cell: 1 });
  await engine.load(program);
  const images = noise(CLASSES, 1n);
  await t.rejects(engine.execute(images, 1, undefined, Uint8Array.of(1, 1), productKeys(2)), {
    code: 'ERR_ONNXRUNTIME',
    message: /cell product#1, session bad: .*MatMul/,
    stack: /engine\.test/,
  });
  const rows = await engine.execute(images, 1, undefined, Uint8Array.of(1, 0), productKeys(2));
  t.ok((rows[COLUMNS] as number) > 0);
});

t.test('a model that ONNX Runtime refuses rejects with its message', async (t) => {
  const engine = open(t);
  await t.rejects(engine.addSession(Uint8Array.of(1, 2, 3), 'broken'), { message: /session broken: / });
  await t.rejects(engine.load(products(1, 1)), { name: 'RangeError', message: /session 0 was not created/ });
});

/** Several times as much work as a busy machine does before the call that ends it comes. */
async function muchWork(t: Test) {
  const cells = 20_000;
  const engine = await productEngine(t, { cells });
  const images = noise(2 * CLASSES, 1n);
  const execute = () =>
    engine.execute(images, 2, undefined, new Uint8Array(cells).fill(1), productKeys(cells));
  const ended = Promise.allSettled(Array.from({ length: 12 }, execute));
  return { engine, execute, ended, rows: (cells + 1) * 2 * COLUMNS };
}

/** The first may have finished in time; what was still running or waiting is rejected. */
async function wereCancelled(t: Test, ended: Promise<PromiseSettledResult<unknown>[]>) {
  const results = await ended;
  t.equal(results.at(-1)?.status, 'rejected');
  for (const result of results)
    if (result.status === 'rejected') t.match(result, { reason: { code: 'ERR_CANCELLED' } });
}

t.test('cancel rejects what runs and what waits, and the engine goes on', async (t) => {
  const { engine, execute, ended, rows } = await muchWork(t);
  await new Promise((resolve) => setTimeout(resolve, 5));
  engine.cancel();
  await wereCancelled(t, ended);
  engine.cancel();
  t.equal((await execute()).length, rows);
});

t.test('close ends everything, may be repeated, and calls after it are refused', async (t) => {
  const { engine, execute, ended } = await muchWork(t);
  await Promise.all([engine.close(), engine.close()]);
  await wereCancelled(t, ended);
  await engine.close();
  t.equal(engine.stats().closed, true);
  engine.cancel();
  await t.rejects(execute(), Error);
  await t.rejects(engine.addSession(product(1), 'late'), { message: /closed/ });
  await t.rejects(engine.load(products(1, 1)), { message: /closed/ });
});
