/** Buffers of a card: scripts/test-emulated.mjs runs this with three emulated cards, of which the last has 1 MiB. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { native } from '../../src/native/addon.js';
import { openCard } from '../../src/native/open-card.js';
import type { Layout, ResetRule } from '../../src/native/reset-rule.js';
import { compareLogits, type ResetWeightsOptions, resetWeights } from '../../src/resets/arrays.js';

const { devices, reason } = native().cuda();
const skip = devices.length > 0 ? false : (reason ?? 'there is no card');
const alone = devices.length > 1 ? false : 'there are not two cards';
const tiny = devices.findIndex(({ memoryBytes }) => memoryBytes < 2 ** 21);
/** Floats of half the memory of the smallest card. */
const HALF = 2 ** 17;

const bits = (values: Float32Array | Float64Array | Uint8Array) => Buffer.from(values.buffer);
const noise = (count: number, key: bigint, std = 1) => {
  const values = new Float32Array(count);
  native().reset(values, { kind: 'normal', mean: 0, std, key });
  return values;
};

t.test('without a card there is the reason, as for --device', async (t) => {
  for (const device of ['cuda:9999', ...(skip ? ['cuda', 'cuda:0'] : [])]) {
    await t.rejects(openCard(device), {
      code: 'ERR_NATIVE',
      message: new RegExp(`^--device ${device}: .*(GPU|CUDA|driver|card)`),
    });
  }
  for (const device of ['cpu', 'auto', 'card', ...(alone ? [] : ['cuda:0,1'])]) {
    await t.rejects(openCard(device), { code: 'ERR_OPTION', message: new RegExp(`^--device ${device}`) });
  }
  await t.rejects(openCard(0 as unknown as string), { name: 'TypeError', message: /^device must be/ });
});

t.test('the addon refuses what is no card and no buffer', async (t) => {
  const { card } = native();
  const junk = [undefined, null, 0, {}, [], new Float32Array(4), Object.create(null)];
  for (const one of junk as never[]) {
    await t.rejects(card.take(one, 4), { name: 'TypeError', message: /^card must be a handle/ });
    await t.rejects(card.read(one), { name: 'TypeError', message: /^the buffer must be a handle/ });
    await t.rejects(card.close(one), { name: 'TypeError' });
    t.throws(() => card.release(one), { name: 'TypeError' });
  }
  await t.rejects(card.open('0' as never), { name: 'TypeError', message: /^index/ });
  await t.rejects(card.open(2 ** 40), { name: 'RangeError', message: /^index/ });
  await t.rejects(card.open(9999), { code: 'ERR_CUDA' });
});

t.test('every reset has the bits of the processor', { skip }, async (t) => {
  const { card } = native();
  const handle = await card.open(0);
  t.teardown(() => card.close(handle));
  const key = 7n;
  const rulesFor = (count: number, channels: number): ResetRule[] => [
    { kind: 'uniform', low: -0.3, high: 0.7, key },
    { kind: 'normal', mean: 0.1, std: 0.7, key },
    { kind: 'trunc-normal', mean: 0, std: 1, low: -2, high: 2, key },
    { kind: 'constant', value: 0.1 },
    { kind: 'shuffle', key },
    { kind: 'interpolate', donor: noise(count, 3n), alpha: 0.3 },
    { kind: 'blend', donor: noise(count, 4n), alpha: 0.3, std: 0.01, key },
    { kind: 'noise', std: 0.1, key },
    { kind: 'quantize', grid: 'int4', scales: noise(channels, 5n).map((v) => 0.2 + Math.abs(v)) },
    { kind: 'prune', threshold: 0.5, ties: 60 },
  ];
  const layouts: [count: number, layout: Layout][] = [
    [1, { channels: 1, inner: 1 }],
    [2, { channels: 2, inner: 1 }],
    [5 * 7 * 3, { channels: 5, inner: 7 }],
    [129 * 257, { channels: 129, inner: 1, transposed: true }],
    [17 * 33, { channels: 17, inner: 1, transposed: true, first: 100 }],
    // More than staging holds at once.
    [3 * 1_100_003, { channels: 3, inner: 1_100_003 }],
  ];
  let wrong = 0;
  for (const [count, layout] of layouts) {
    const isLarge = count > 1e6;
    for (const rule of rulesFor(count, layout.channels)) {
      if (isLarge && rule.kind !== 'shuffle' && rule.kind !== 'interpolate') continue;
      const options = { layout, ...(count % 2 === 1 && { factor: noise(layout.channels, 9n) }) };
      const expected = noise(count, 2n);
      const buffer = await card.take(handle, expected);
      native().reset(expected, rule, options);
      await card.reset(buffer, rule, options);
      const found = await card.read(buffer);
      card.release(buffer);
      if (!bits(found).equals(bits(expected)) && wrong++ < 10)
        t.fail(`${rule.kind}, ${JSON.stringify(layout)}`);
    }
  }
  t.equal(wrong, 0);
});

t.test('resetWeights takes a buffer as it takes an array', { skip }, async (t) => {
  await using card = await openCard();
  t.match(card, { id: 'cuda:0', name: devices[0]!.name, memoryBytes: devices[0]!.memoryBytes });
  const cases: ResetWeightsOptions[] = [
    { shape: [20, 10, 3, 3], layer: 'conv1', seed: 4, trial: 2 },
    { shape: [20, 10, 3, 3], init: 'xavier-uniform', groups: 2, factor: noise(20, 1n) },
    { shape: [30, 60], init: 'trunc-normal:0.02', parameter: 'bias' },
    { shape: [1800], rule: { kind: 'shuffle', key: 5n } },
  ];
  for (const options of cases) {
    const array = noise(1800, 8n);
    const buffer = await card.buffer(array);
    t.equal(await resetWeights(buffer, options), buffer);
    t.strictSame(await buffer.read(), await resetWeights(array, options), JSON.stringify(options.shape));
  }
  const small = await card.buffer(6);
  await t.rejects(resetWeights(small, { shape: [7] }), RangeError);
  await t.rejects(resetWeights(small, { shape: [2, 3], factor: new Float32Array(3) }), RangeError);
  await t.rejects(resetWeights(small, { shape: [6], rule: { kind: 'x' } as never }), RangeError);
  t.strictSame(await small.read(), new Float32Array(6));
});

t.test('compareLogits on a card gives what it gives for arrays', { skip }, async (t) => {
  await using card = await openCard();
  for (const [rows, classes] of [
    [0, 5],
    [1, 1],
    [33, 10],
    [1200, 3],
    [7, 1031],
  ] as const) {
    const [a, b] = [noise(rows * classes, 11n, 3), noise(rows * classes, 12n, 3)];
    for (let row = 0; row < rows; row += 5)
      b.set(a.subarray(row * classes, (row + 1) * classes), row * classes);
    if (rows > 3) b[2 * classes] = Number.NaN;
    const labels = Int32Array.from({ length: rows }, (_, i) => (i % 4 === 3 ? -1 : i % classes));
    const shape = [rows, classes] as const;
    const [original, changed] = [await card.buffer(a), await card.buffer(b)];
    for (const given of [undefined, labels]) {
      const expected = await compareLogits(
        { data: a, shape: [...shape] },
        { data: b, shape: [...shape] },
        given,
      );
      const found = await compareLogits({ data: original, shape }, { data: changed, shape }, given);
      t.strictSame(Object.keys(found), Object.keys(expected));
      for (const [name, value] of Object.entries(expected)) {
        const got = found[name as keyof typeof found];
        const isSame =
          typeof value === 'number' ? got === value : bits(got as Float64Array).equals(bits(value));
        if (!isSame) t.fail(`${name} of ${rows} x ${classes}${given ? ' with labels' : ''}`);
      }
    }
    await t.rejects(
      compareLogits(
        { data: original, shape: [rows + 1, classes] },
        { data: changed, shape: [rows + 1, classes] },
      ),
      { name: 'RangeError', message: /^original of .* elements, its buffer/ },
    );
    if (rows > 0) {
      const wrong = labels.slice().fill(classes, 0, 1);
      await t.rejects(
        compareLogits({ data: original, shape }, { data: changed, shape }, wrong),
        /labels\[0\] must be -1 or a class/,
      );
    }
    await t.rejects(compareLogits({ data: original, shape }, { data: a, shape: [...shape] }), {
      name: 'TypeError',
      message: /must both be/,
    });
  }
});

t.test('what is asked is done in its order, and arrays are copied at the call', { skip }, async (t) => {
  await using card = await openCard();
  const values = noise(2_300_001, 20n);
  const expected = values.slice();
  const making = card.buffer(values);
  values.fill(0);
  const buffer = await making;
  const part = noise(1_200_000, 21n);
  const first = buffer.read();
  const writing = buffer.write(part, 1_000_001);
  const second = buffer.read();
  const shuffling = resetWeights(buffer, { shape: [buffer.length], rule: { kind: 'shuffle', key: 1n } });
  const third = buffer.read();
  part.fill(0);
  buffer.dispose();
  await Promise.all([writing, shuffling, card.synchronize()]);
  t.ok(bits(await first).equals(bits(expected)));
  expected.set(noise(1_200_000, 21n), 1_000_001);
  t.ok(bits(await second).equals(bits(expected)));
  native().reset(expected, { kind: 'shuffle', key: 1n });
  t.ok(bits(await third).equals(bits(expected)));
});

t.test('a buffer ends with dispose, and all of them with their card', { skip }, async (t) => {
  const card = await openCard();
  const [one, two] = [await card.buffer(4), await card.buffer(Float32Array.of(1, 2, 3))];
  const isOver = (buffer: typeof one, name: string, message: RegExp) =>
    Promise.all([
      t.rejects(buffer.read(), { name, message }),
      t.rejects(buffer.write(new Float32Array(1)), { name, message }),
      t.rejects(resetWeights(buffer, { shape: [buffer.length] }), { name, message }),
    ]);
  one.dispose();
  one[Symbol.dispose]();
  await isOver(one, 'TypeError', /^the buffer is disposed$/);
  const shape = [1, 3] as const;
  await t.rejects(two.write(new Float32Array(2), 2), RangeError);
  await t.rejects(two.write(new Float32Array(1), -1), RangeError);
  await t.rejects(two.write([1] as never), TypeError);
  await t.rejects(card.buffer('4' as never), TypeError);
  for (const length of [-1, 0.5, Number.NaN, 2 ** 60]) await t.rejects(card.buffer(length), RangeError);
  await t.rejects(card.buffer(2 ** 50), {
    code: 'ERR_NATIVE',
    message: /^cuda:0: taking device memory: /,
  });
  // A getter that ends the buffer while its options are read.
  const late = await card.buffer(3);
  const rule = {
    kind: 'constant',
    get value() {
      late.dispose();
      return 1;
    },
  } as ResetRule;
  await t.rejects(resetWeights(late, { shape: [3], rule }), {
    name: 'TypeError',
    message: 'the buffer is disposed',
  });
  const last = two.read();
  t.equal(card.close(), card.close());
  await isOver(two, 'TypeError', /^the card is closed$/);
  await t.rejects(compareLogits({ data: two, shape }, { data: two, shape }), /the card is closed/);
  await t.rejects(card.buffer(1), /the card is closed/);
  await t.rejects(card.synchronize(), /the card is closed/);
  t.strictSame(await last, Float32Array.of(1, 2, 3), 'what was asked before is done');
  await card.close();
  two.dispose();
});

t.test('buffers of two cards, or of a card that was opened twice, do not mix', { skip }, async (t) => {
  await using card = await openCard('cuda:0');
  await using other = await openCard(alone ? 'cuda:0' : 'cuda:1');
  const shape = [1, 3] as const;
  const [a, b] = [await card.buffer(Float32Array.of(1, 2, 3)), await other.buffer(3)];
  await t.rejects(compareLogits({ data: a, shape }, { data: b, shape }), {
    name: 'TypeError',
    message: 'original and changed must be buffers of one card',
  });
  await other.close();
  t.strictSame(await a.read(), Float32Array.of(1, 2, 3));
});

t.test('a full card says so, and goes on when something is disposed', { skip: tiny < 0 }, async (t) => {
  await using card = await openCard(`cuda:${tiny}`);
  for (let round = 0; round < 20; round++) {
    const buffer = await card.buffer(HALF + 1000);
    await t.rejects(card.buffer(HALF + 1000), {
      code: 'ERR_NATIVE',
      message: /^cuda:\d: taking device memory/,
    });
    if (round % 2 === 0) buffer.dispose();
    else using(buffer);
  }
});

const using = (one: Disposable) => one[Symbol.dispose]();

/** Each case is a process of its own: what matters is that it ends, and how. */
const addon = resolve(
  process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url)),
);
const prelude = `
const { Worker, isMainThread } = require('node:worker_threads');
const { card } = require(${JSON.stringify(addon)});
const index = ${Math.max(tiny, 0)}, half = ${HALF + 1000};
const rule = { kind: 'noise', std: 1, key: 1n };
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const again = async (turns, step) => {
  for (let i = 0; ; i++) {
    try { return await step(); } catch (error) { if (i > turns) throw error; }
    gc(); await wait(20);
  }
};
`;
const endings: [title: string, body: string, stdout: string][] = [
  [
    'buffers that nobody holds are freed by the garbage collector',
    `const one = await card.open(index);
     for (let i = 0; i < 10; i++) await again(50, () => card.take(one, half));
     console.log('done');`,
    'done',
  ],
  [
    'cards that nobody holds are closed by the garbage collector, after what they were asked',
    `for (let i = 0; i < 10; i++) {
       await again(50, async () => {
         const buffer = await card.take(await card.open(index), half);
         card.reset(buffer, { kind: 'constant', value: i });
         const found = await card.read(buffer);
         if (found.at(-1) !== i) { console.log('wrong'); process.exit(1); }
       });
     }
     console.log('done');`,
    'done',
  ],
  [
    'a process with an open card ends by itself, and waits for what it asked',
    `const one = await card.open(index);
     const buffer = await card.take(one, half);
     card.reset(buffer, rule); card.read(buffer).then((values) => console.log(values.length));`,
    `${HALF + 1000}`,
  ],
  [
    'a process may exit while a card works',
    `const one = await card.open(index);
     const buffer = await card.take(one, 100000);
     for (let i = 0; i < 50; i++) card.reset(buffer, rule);
     card.read(buffer); console.log('exit'); process.exit(0);`,
    'exit',
  ],
  [
    'a worker thread that is terminated frees what it had',
    `const work = 'const { card } = require(' + JSON.stringify(${JSON.stringify(addon)}) + ');' +
       '(async () => { const one = await card.open(' + index + '); const buffer = await card.take(one, ' + half + ');' +
       'require("node:worker_threads").parentPort.postMessage(0);' +
       'for (;;) { for (let i = 0; i < 5; i++) card.reset(buffer, { kind: "noise", std: 1, key: 1n }); await card.read(buffer); } })()';
     for (let i = 0; i < 4; i++) {
       const worker = new Worker(work, { eval: true });
       await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
       await wait(10 * i);
       await worker.terminate();
     }
     const buffer = await card.take(await card.open(index), half);
     console.log((await card.read(buffer)).length);`,
    `${HALF + 1000}`,
  ],
];
for (const [title, body, stdout] of endings) {
  t.test(title, { skip }, async (t) => {
    const source = `${prelude}(async () => {${body}})().catch((e) => { console.error(e); process.exit(9); });`;
    const ended = spawnSync(process.execPath, ['--expose-gc', '-e', source], {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    t.match(ended, { status: 0, signal: null, stdout: `${stdout}\n`, stderr: '' }, ended.stderr);
  });
}
