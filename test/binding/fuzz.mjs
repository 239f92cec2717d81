// Calls every function of the addon with seeded junk: node fuzz.mjs ADDON SEED CALLS. Prints what came of it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const [path, seed, calls] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(path);
class FromGetter extends Error {}

let state = Number(seed) >>> 0;
const random = () => {
  state = (state + 0x9e3779b9) >>> 0;
  let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const chance = (p) => random() < p;

const lengths = [0, 1, 2, 3, 4, 12, 12, 12, 31, 64, 1000, 4097];
const pool = lengths.map((length) => new Float32Array(length).fill(0.5));
const detach = (array) => {
  if (array.buffer instanceof ArrayBuffer) structuredClone(array.buffer, { transfer: [array.buffer] });
};
const floats = () =>
  pick([
    () => pick(pool),
    () => new Float32Array(pick(lengths)),
    () => new Float32Array(12),
    () => pick(pool).subarray(1),
    () => Float32Array.of(NaN, Infinity, -Infinity, 1e38, -1e38, 0, -0, 1e-45, 1, 2, 3, 4),
    () => new Float32Array(new SharedArrayBuffer(48)),
    () => {
      const array = new Float32Array(12);
      detach(array);
      return array;
    },
    () => {
      const buffer = new ArrayBuffer(48, { maxByteLength: 480 });
      const array = chance(0.5) ? new Float32Array(buffer) : new Float32Array(buffer, 16, 8);
      if (chance(0.5)) buffer.resize(pick([0, 17, 20, 480]));
      return array;
    },
  ])();
const numbers = [
  0,
  -0,
  1,
  2,
  3,
  4,
  12,
  0.5,
  -1,
  -1.5,
  1e38,
  3e38,
  1e39,
  1e308,
  1e-300,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  NaN,
];
const number = () => (chance(0.2) ? pick([Infinity, -Infinity]) : pick(numbers));
const key = () => pick([0n, 1n, 2n ** 64n - 1n, 2n ** 64n, -1n, 2n ** 4096n, 12345678901234567n]);
const junk = () =>
  pick([
    () => undefined,
    () => null,
    () => number(),
    () => key(),
    () => pick(['', 'normal', 'x'.repeat(10_000), '\ud800', 'a\0b']),
    () => Symbol('junk'),
    () => true,
    () => [],
    () => ({}),
    () => () => 5,
    () => new Proxy({}, { get: () => number(), ownKeys: () => ['x'] }),
    () => new Proxy(new Float32Array(12), {}),
    () => Proxy.revocable({}, {}).proxy,
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    () => new Date(),
    () => new Map(),
    () => Object.create(null),
    () => new DataView(new ArrayBuffer(8)),
    () => new Int32Array(pick(lengths)),
    () => new Float64Array(12),
    () => new BigInt64Array(3),
    () => Object.create(Float32Array.prototype),
    () => floats(),
  ])();
const rough = (make) => (chance(0.12) ? junk() : make());

/** Handles that open cards gave, so on machines with a card only. */
const [cards, buffers] = [[], []];

/** Some properties become getters that throw, detach, collect garbage or call the addon again. */
function trapped(object, victims) {
  for (const name of Object.keys(object)) {
    if (!chance(0.06)) continue;
    const value = object[name];
    const trick = pick([
      () => {
        throw new FromGetter();
      },
      () => victims.forEach(detach),
      () => globalThis.gc(),
      () => addon.reset(victims[0], { kind: 'constant', value: 1 }),
      () => delete object.kind,
      () => buffers.length > 0 && addon.card.release(pick(buffers)),
    ]);
    Object.defineProperty(object, name, {
      configurable: true,
      get() {
        trick();
        return value;
      },
    });
  }
  return object;
}

const kinds = [
  ...['uniform', 'normal', 'trunc-normal', 'constant', 'shuffle', 'interpolate', 'noise'],
  ...['quantize', 'prune', 'nothing'],
];
function rule(victims) {
  const made = { kind: rough(() => pick(kinds)), key: rough(key) };
  for (const name of ['low', 'mean', 'std', 'high', 'value', 'alpha', 'threshold', 'ties'])
    made[name] = rough(number);
  if (chance(0.5)) Object.assign(made, { low: -1, high: 2, mean: 0, std: 1 });
  const donor = floats();
  victims.push(donor);
  made.donor = rough(() => donor);
  const scales = new Float32Array(pick([1, 2, 3, 4, 12])).fill(pick([1, 1, ...numbers]));
  victims.push(scales);
  Object.assign(made, { grid: rough(() => pick(['int8', 'int4', 'fp8', ''])), scales: rough(() => scales) });
  if (chance(0.1)) delete made[pick(Object.keys(made))];
  return trapped(made, victims);
}
function layoutOf(victims) {
  const layout = trapped(
    { channels: rough(() => pick([1, 2, 3, 4, 12])), inner: rough(() => pick([1, 1, 2, 3, 4])) },
    victims,
  );
  if (chance(0.3)) layout.transposed = rough(() => chance(0.7));
  return layout;
}
function options(victims) {
  if (chance(0.4)) return undefined;
  const layout = layoutOf(victims);
  const factor = new Float32Array(pick([1, 2, 3, 4, 12])).fill(pick(numbers));
  const made = { layout: rough(() => layout) };
  if (chance(0.5)) made.factor = rough(() => factor);
  return trapped(made, [...victims, factor]);
}
const labels = () =>
  chance(0.4) ? undefined : new Int32Array(pick([1, 2, 3, 4, 12])).fill(pick([-1, 0, 1, 11, -2]));

const actions = [
  (name) => {
    const victims = [floats()];
    const made = [rough(() => victims[0]), rough(() => rule(victims)), rough(() => options(victims))];
    const pending = addon[name](...made);
    if (name === 'resetAsync' && chance(0.2)) victims.forEach(detach);
    return pending;
  },
  (name) => {
    const a = floats();
    const b = chance(0.6) ? new Float32Array(a.length) : floats();
    const pending = addon[name](
      rough(() => a),
      rough(() => b),
      rough(() => pick([1, 2, 3, 4, 6, 12])),
      rough(labels),
    );
    if (name === 'compareAsync' && chance(0.2)) [a, b].forEach(detach);
    return pending;
  },
];
const weights = (name) => {
  const victims = [floats(), new Float64Array(pick([1, 4, 9, 16]))];
  const count = rough(() => pick([0, 1, 2, 3, 12]));
  const rest = name === 'keepRank' ? [rough(() => victims[1]), count] : [count];
  const pending = addon[name](
    rough(() => victims[0]),
    rough(() => layoutOf(victims)),
    ...rest,
  );
  if (chance(0.2)) victims.forEach(detach);
  return pending;
};
const side = () => pick([1, 2, 3, 4, 7, 31]);
function resize(victims) {
  const [height, width] = [side(), side()];
  const made = {
    channels: rough(() => pick([1, 3])),
    from: rough(() => trapped({ height: rough(side), width: rough(side) }, victims)),
    to: rough(() => ({ height: height + pick([0, 1, 5]), width })),
    window: rough(() => trapped({ top: pick([0, 0, 1]), left: rough(() => 0), height, width }, victims)),
    filter: rough(() => pick(['nearest', 'box', 'bilinear', 'bicubic', 'hamming', 'lanczos', ''])),
  };
  return trapped(made, victims);
}
const pixels = () =>
  pick([
    () => new Uint8Array(pick([...lengths, 3, 21, 93])).fill(200),
    () => new Uint8Array(floats().buffer),
  ])();
const resampling = (name) => {
  const victims = [pixels()];
  const pending = addon[name](
    rough(() => victims[0]),
    rough(() => resize(victims)),
  );
  if (chance(0.2)) victims.forEach(detach);
  // Bytes that are no JPEG are not misuse.
  return pending.catch((error) => {
    if (name !== 'resampleJpeg' || error.constructor !== Error) throw error;
  });
};
const fit = (victims) =>
  trapped(
    {
      resize: rough(() => pick([null, 1, 4, 31])),
      interpolation: rough(() => pick(['bilinear', 'bicubic', 'nearest', ''])),
      crop: rough(() => trapped({ height: rough(() => pick([4, 1])), width: rough(side) }, victims)),
    },
    victims,
  );
const jpeg = readFileSync(new URL('../fixtures/images/odd.jpg', import.meta.url));
const files = [
  jpeg,
  fileURLToPath(new URL('../fixtures/images/odd.jpg', import.meta.url)),
  'none',
  'a\0',
  '',
];
const fitting = () => {
  const victims = [new Uint8Array(pick([12, 12, 48, 4])), new Uint8Array(pick([32, 32, 32, 0]))];
  const pending = addon.fitJpeg(
    rough(() => pick([...files, pixels()])),
    rough(() => pick([1, 3])),
    rough(() => fit(victims)),
    rough(() => pick([1, 1e6, 1e6])),
    rough(() => victims[0]),
    rough(() => pick([null, victims[1]])),
  );
  if (chance(0.2)) victims.forEach(detach);
  return pending;
};
const held = (list) => rough(() => pick(list) ?? {});
/** A handle that comes is kept for a while; others go to the garbage collector, with what they hold. */
const keeps = (list, opening) =>
  opening.then((handle) => {
    list.push(handle);
    if (list.length > 8) list.shift();
  });
const onCard = () => {
  const { card } = addon;
  if (cards.length === 0 && chance(0.3)) return keeps(cards, card.open(rough(() => 0)));
  return pick([
    () => (chance(0.1) ? card.close(held(cards)) : card.synchronize(held(cards))),
    () =>
      keeps(
        buffers,
        card.take(
          held(cards),
          rough(() => (chance(0.5) ? floats() : 12)),
        ),
      ),
    () =>
      card.write(
        held(buffers),
        rough(floats),
        rough(() => pick([0, 0, 1, 4])),
      ),
    () => card.read(held(buffers)),
    () => {
      const victims = [floats()];
      return card.reset(
        held(buffers),
        rough(() => rule(victims)),
        rough(() => options(victims)),
      );
    },
    () =>
      card.compare(
        held(buffers),
        held(buffers),
        rough(() => pick([1, 2, 3, 4, 6, 12])),
        rough(labels),
      ),
    () => card.release(held(buffers)),
  ])();
};
const functions = {
  card: onCard,
  fitJpeg: fitting,
  placement: () =>
    addon.placement(
      rough(() => trapped({ height: rough(side), width: rough(side) }, [])),
      rough(() => fit([])),
    ),
  resample: resampling,
  resampleJpeg: resampling,
  normalize: () =>
    addon.normalize(
      rough(pixels),
      rough(() => new Float32Array(pick([256, 256, 768, 0, 100]))),
      rough(floats),
      rough(() => pick([0, 0, 1, 12, 5000])),
    ),
  reset: actions[0],
  resetAsync: actions[0],
  smallest: weights,
  singularVectors: weights,
  keepRank: weights,
  compare: actions[1],
  compareAsync: actions[1],
  norms: () => addon.norms(rough(floats), rough(floats)),
  usePath: () => addon.usePath(rough(() => pick(['baseline', 'avx2', 'avx512', '']))),
  info: () => addon.info(junk()),
  philox: () =>
    addon.internal.philox(
      rough(() => new Uint32Array(pick([4, 4, 3]))),
      rough(() => new Uint32Array(2)),
    ),
  normal: () => addon.internal.normal(rough(() => new Uint32Array(pick(lengths)))),
};

const counts = { returned: 0, threw: 0, strange: [] };
const failed = (error) => {
  counts.threw++;
  const known =
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof FromGetter ||
    error?.code === 'ERR_CUDA';
  if (!known && counts.strange.length < 5) counts.strange.push(String(error?.stack ?? error));
};
let pending = [];
for (let call = 0; call < Number(calls); call++) {
  const name = pick([...Object.keys(functions), 'reset', 'reset', 'compare', 'resetAsync', 'compareAsync']);
  try {
    const result = functions[name](name);
    if (result instanceof Promise) pending.push(result.then(() => counts.returned++, failed));
    else counts.returned++;
  } catch (error) {
    failed(error);
  }
  // Buffers that getters have detached are replaced, so that valid calls go on.
  if (call % 50 === 0) for (const [i, length] of lengths.entries()) pool[i] = new Float32Array(length);
  if (pending.length > 64) {
    await Promise.all(pending);
    pending = [];
  }
}
await Promise.all(pending);
console.log(JSON.stringify(counts));
