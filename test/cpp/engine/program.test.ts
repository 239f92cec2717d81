import t from 'tap';
import { native } from '../../../src/native/addon.js';
import {
  type EngineHandle,
  type EngineProgram,
  type NativeProgram,
  onnxruntimeLibrary,
} from '../../../src/native/engine.js';
import { CLASSES, product, productKeys, products } from './models.js';

const { engine } = native();
const library = onnxruntimeLibrary();
const BATCH = 2;

async function ready() {
  const handle = engine.open({ library, threads: 1 });
  t.teardown(() => engine.close(handle));
  await engine.addSession(handle, product(BATCH), 'product', { optimise: true });
  const constant = engine.addConstant(handle, new Float32Array(CLASSES * CLASSES));
  return { handle, good: { ...products(BATCH, 2), constants: [constant] } as NativeProgram };
}
const made = ready();

/** `good` with one thing changed, as plain data so that it can be anything. */
async function changed(change: (program: Record<string, never>) => void) {
  const { good, handle } = await made;
  const program = structuredClone(good) as unknown as Record<string, never>;
  change(program);
  return () => engine.load(handle, program as unknown as NativeProgram);
}

type Refusal = [what: string, path: string, value: unknown, name: string, message: RegExp];

const refusals: Refusal[] = [
  ['slots that are no array', 'slots', 5, 'TypeError', /program\.slots must be an array/],
  ['a slot that is no object', 'slots.1', null, 'TypeError', /program\.slots\[1\] must be an object/],
  ['an unknown element type', 'slots.1.type', 8, 'RangeError', /slots\[1\]\.type/],
  ['a dimension of 0', 'slots.1.dims.0', 0, 'RangeError', /slots\[1\]\.dims must be positive/],
  ['a fractional dimension', 'slots.1.dims.0', 1.5, 'RangeError', /slots\[1\]\.dims\[0\]/],
  ['a gigantic slot', 'slots.4.dims', [2 ** 40, 2 ** 40], 'RangeError', /slots\[4\] is larger/],
  ['a storage that is no number', 'slots.1.storage', '1', 'TypeError', /slots\[1\]\.storage/],
  [
    'a view outside its slot',
    'slots.4.view',
    { slot: 0, offset: 64 },
    'RangeError',
    /slots\[4\] must lie in/,
  ],
  ['a view of itself', 'slots.4.view', { slot: 4, offset: 0 }, 'RangeError', /must be another slot/],
  ['a view with a storage', 'slots.2.view', { slot: 0, offset: 0 }, 'RangeError', /both storage and view/],
  ['a view of nothing', 'slots.4.view', { slot: 99, offset: 0 }, 'RangeError', /view\.slot must be less/],
  ['an unaligned view', 'slots.4.view', { slot: 0, offset: 4 }, 'RangeError', /multiple of 16/],
  ['an unaligned offset', 'slots.1.offset', 4, 'RangeError', /slots\[1\]\.offset must be a multiple/],
  ['an offset beyond all memory', 'slots.1.offset', 2 ** 50, 'RangeError', /slots\[1\]\.offset is larger/],
  [
    'an order of another size',
    'steps.0.blocked',
    { outputs: 4, inputs: 4, kernel: 2, block: 4, inputBlock: 1 },
    'RangeError',
    /steps\[0\]\.slot must have the size that blocked gives/,
  ],
  ['an order that is none', 'steps.0.blocked', { outputs: 0 }, 'RangeError', /blocked\.outputs/],
  ['an unknown shift', 'steps.0.shift', 9, 'RangeError', /steps\[0\]\.shift must be less/],
  ['unknown constants', 'constants', [0, 3], 'RangeError', /constants\[1\] must be less/],
  ['a negative constant', 'constants', [-1], 'RangeError', /constants\[0\]/],
  ['cells that are no number', 'cells', '2', 'TypeError', /program\.cells must be a number/],
  ['far too many cells', 'cells', 2 ** 40, 'RangeError', /program\.cells must be at most/],
  ['too few names', 'cellNames', ['a'], 'RangeError', /cellNames/],
  ['names that are no strings', 'cellNames', ['a', 1], 'TypeError', /cellNames\[1\]/],
  ['an input that is not there', 'input', 9, 'RangeError', /program\.input must be less/],
  ['an input of another shape', 'input', 2, 'RangeError', /program\.input must be a float32 slot/],
  ['logits of another shape', 'logits', 2, 'RangeError', /program\.logits must be/],
  ['a step of no kind', 'steps.0.kind', 'jump', 'RangeError', /steps\[0\]\.kind must be run/],
  ['an unknown session', 'steps.1.session', 1, 'RangeError', /steps\[1\]\.session must be less/],
  ['too few inputs', 'steps.1.inputs', [0], 'RangeError', /inputs has 1 slots, session product has 2/],
  ['an unknown slot', 'steps.1.inputs.0', 77, 'RangeError', /steps\[1\]\.inputs\[0\] must be less/],
  ['a wrong shape', 'steps.1.outputs.0', 0, 'RangeError', /outputs\[0\] has the shape \[2, 1, 1, 4\]/],
  ['a wrong element type', 'slots.0.type', 6, 'RangeError', /program\.input/],
  ['an unknown cell', 'steps.2.cell', 2, 'RangeError', /steps\[2\]\.cell must be less/],
  ['a compare of two cells', 'steps.4.cell', [0, 1], 'TypeError', /steps\[4\]\.cell must be one cell/],
  ['a compare of weights', 'steps.4.slot', 2, 'RangeError', /steps\[4\]\.slot must have the shape/],
  ['a rule of no kind', 'steps.2.rule.kind', 'x', 'RangeError', /steps\[2\]\.rule\.kind/],
  ['a key that is no index', 'steps.2.rule.key', 1n, 'TypeError', /steps\[2\]\.rule\.key/],
  ['an unknown key', 'steps.2.rule.key', 2, 'RangeError', /steps\[2\]\.rule\.key must be less/],
  ['keys that are no number', 'keys', [], 'TypeError', /program\.keys must be a number/],
  ['far too many keys', 'keys', 2 ** 40, 'RangeError', /program\.keys must be at most 2 \*\* 24/],
  ['no slices', 'slices', 0, 'RangeError', /program\.slices must be a divisor of the batch, 2/],
  ['slices of no whole images', 'slices', 3, 'RangeError', /program\.slices must be a divisor/],
  ['slices that are no number', 'slices', '1', 'TypeError', /program\.slices must be a number/],
  ['a slice that is not there', 'steps.2.slice', 1, 'RangeError', /steps\[2\]\.slice must be less than/],
  ['a slice that is no number', 'steps.2.slice', null, 'TypeError', /steps\[2\]\.slice must be a number/],
  ['a compare of a slice', 'steps.4.slice', 0, 'RangeError', /steps\[4\] must not have a slice/],
  ['a wrong layout', 'steps.2.layout.channels', 3, 'RangeError', /steps\[2\]\.slot's length/],
  ['a factor of another length', 'steps.2.factor', 0, 'RangeError', /steps\[2\]\.factor has 16 elements/],
  ['a source that is not there', 'steps.0.source', 4, 'RangeError', /steps\[0\]\.source must be less/],
  [
    'a donor of another length',
    'steps.2',
    { kind: 'reset', slot: 4, rule: { kind: 'interpolate', donor: 0, alpha: 0.5 } },
    'RangeError',
    /steps\[2\]\.rule\.donor has 16 elements, it must have 8/,
  ],
  ['noise on what nobody wrote', 'steps.0.source', undefined, 'RangeError', /steps\[0\] reads slot 2/],
  [
    'a tensor read before it is made',
    'steps.0',
    { kind: 'compare', slot: 4, cell: 0 },
    'RangeError',
    /slot 4/,
  ],
  ['a buffer that went to another slot', 'slots.4.storage', 7, 'RangeError', /shares memory with an input/],
  ['a result of another cell', 'steps.4.cell', 1, 'RangeError', /steps\[4\] reads slot 4/],
];

for (const [what, path, value, name, message] of refusals) {
  t.test(`load refuses ${what}`, async (t) => {
    const load = await changed((program) => {
      const keys = path.split('.');
      const last = keys.pop() as string;
      let at = program;
      for (const key of keys) at = at[key] as unknown as typeof at;
      at[last] = value as never;
    });
    t.throws(load, { name, message });
  });
}

t.test('load takes a program whose views and shared storages fit', async (t) => {
  const { handle, good } = await made;
  const program = structuredClone(good);
  program.slots.push({ type: 1, dims: [32, CLASSES] });
  program.slots[4] = { type: 1, dims: [BATCH, CLASSES], view: { slot: 5, offset: 192 } };
  engine.load(handle, program);
  const rows = await engine.execute(
    handle,
    new Float32Array(8).fill(1),
    BATCH,
    undefined,
    Uint8Array.of(1, 1),
    productKeys(2),
  );
  engine.load(handle, good);
  const same = await engine.execute(
    handle,
    new Float32Array(8).fill(1),
    BATCH,
    undefined,
    Uint8Array.of(1, 1),
    productKeys(2),
  );
  t.strictSame(rows, same);
});

t.test('no value crashes a call', async (t) => {
  const { handle, good } = await made;
  engine.load(handle, good);
  const thief = { ...handle };
  const proxy = new Proxy(handle as object, {});
  const odd = [
    undefined,
    null,
    0,
    'x',
    {},
    [],
    thief,
    proxy,
    handle,
    new Float32Array(8),
    { pixels: new Uint8Array(8), table: new Float32Array(256) },
    Symbol('s'),
    () => 1,
  ];
  for (const call of Object.values(engine) as ((...values: unknown[]) => unknown)[]) {
    if (call === engine.close) continue;
    for (const a of [handle, ...odd]) {
      for (const b of odd) {
        for (const c of [...odd, 1, 2]) {
          try {
            const made = call(a, b, c, b, c);
            if (made instanceof Promise) await made.catch(() => {});
          } catch (error) {
            t.ok(error instanceof Error);
          }
        }
      }
    }
  }
  await t.rejects(engine.close(proxy as EngineHandle), {
    name: 'TypeError',
    message: /engine must be a handle/,
  });
  engine.load(handle, good);
});

t.test('execute checks every array', async (t) => {
  const { handle } = await made;
  const keys = productKeys(2);
  const run = (images: unknown, count: unknown, labels: unknown, active: unknown, drawn: unknown = keys) =>
    engine.execute(handle, images as never, count as never, labels as never, active as never, drawn as never);
  const images = new Float32Array(8);
  const active = Uint8Array.of(1, 1);
  await t.rejects(run(new Float64Array(8), 2, undefined, active), { name: 'TypeError', message: /images/ });
  await t.rejects(run(images.subarray(1), 2, undefined, active), { name: 'RangeError', message: /images/ });
  await t.rejects(run(images, 0, undefined, active), { name: 'RangeError', message: /count/ });
  await t.rejects(run(images, 3, undefined, active), { name: 'RangeError', message: /batch, 2/ });
  await t.rejects(run(images, 2, undefined, Uint8Array.of(1)), { name: 'RangeError', message: /active/ });
  await t.rejects(run(images, 2, undefined, active, productKeys(1)), { name: 'RangeError', message: /keys/ });
  await t.rejects(run(images, 2, undefined, active, [0n, 1n]), { name: 'TypeError', message: /keys/ });
  await t.rejects(run(images, 2, Int32Array.of(1), active), { name: 'RangeError', message: /labels/ });
  await t.rejects(run(images, 2, Int32Array.of(1, 4), active), { name: 'RangeError', message: /0 to 3/ });
  await t.rejects(run(images, 2, Int32Array.of(1, -2), active), { name: 'RangeError' });
  const pixels = new Uint8Array(8);
  const table = new Float32Array(256);
  const refused: [images: unknown, name: string, message: RegExp][] = [
    [pixels, 'TypeError', /images must be a Float32Array/],
    [null, 'TypeError', /images must be a Float32Array or an object with pixels and table/],
    [{ pixels }, 'TypeError', /images\.table must be a Float32Array/],
    [{ table }, 'TypeError', /images\.pixels must be a Uint8Array/],
    [{ pixels: images, table }, 'TypeError', /images\.pixels/],
    [{ pixels: pixels.subarray(1), table }, 'RangeError', /images\.pixels must have count \* 4/],
    [{ pixels, table: table.subarray(1) }, 'RangeError', /images\.table must have 256 .* 1 channels/],
    [{ pixels, table: new Float32Array(768) }, 'RangeError', /images\.table/],
  ];
  for (const [value, name, message] of refused) {
    await t.rejects(run(value, 2, undefined, active), { name, message });
  }
  const taken = {
    pixels,
    get table() {
      structuredClone(pixels, { transfer: [pixels.buffer] });
      return table;
    },
  };
  await t.rejects(run(taken, 2, undefined, active), { name: 'TypeError', message: /pixels .*detached/ });
  const detached = new Float32Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  await t.rejects(run(detached, 2, undefined, active), { name: 'TypeError', message: /detached/ });
});

t.test('logits checks every array', async (t) => {
  const { handle } = await made;
  const run = (images: unknown, count: unknown) => engine.logits(handle, images as never, count as never);
  await t.rejects(run(new Float64Array(8), 2), { name: 'TypeError', message: /images/ });
  await t.rejects(run(new Float32Array(7), 2), { name: 'RangeError', message: /images/ });
  await t.rejects(run(new Float32Array(8), 3), { name: 'RangeError', message: /batch, 2/ });
  await t.rejects(engine.logits({} as never, new Float32Array(8), 2), {
    name: 'TypeError',
    message: /handle/,
  });
  const ofCell = (cell: unknown, keys: unknown) =>
    engine.logits(handle, new Float32Array(8), 2, cell as never, keys as never);
  await t.rejects(ofCell(2, productKeys(2)), { name: 'RangeError', message: /cell must be less than .* 2/ });
  await t.rejects(ofCell('0', productKeys(2)), { name: 'TypeError', message: /cell/ });
  await t.rejects(ofCell(0, undefined), { name: 'RangeError', message: /keys must have .* 2 elements/ });
  await t.rejects(ofCell(0, new Float64Array(2)), { name: 'TypeError', message: /keys/ });
});

t.test('open refuses options and libraries that are none', async (t) => {
  const open = (options: unknown) => () => engine.open(options as never);
  t.throws(open(undefined), { name: 'TypeError', message: /options/ });
  t.throws(open({ library: 5, threads: 1 }), { name: 'TypeError', message: /library/ });
  t.throws(open({ library, threads: 0 }), { name: 'RangeError', message: /threads/ });
  t.throws(open({ library, threads: 1e9 }), { name: 'RangeError', message: /threads/ });
  t.throws(open({ library: '/no/such.so', threads: 1 }), { message: /cannot load ONNX Runtime: .*no\/such/ });
});

t.test('getters that change things while they are read do no harm', async (t) => {
  const { handle, good } = await made;
  const program = structuredClone(good) as EngineProgram | NativeProgram;
  Object.defineProperty(program.steps[0], 'slot', {
    get() {
      program.steps.length = 1;
      program.slots.length = 0;
      return 2;
    },
  });
  t.throws(() => engine.load(handle, program as NativeProgram), { name: 'TypeError', message: /steps\[1\]/ });
});
