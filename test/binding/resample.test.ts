import t from 'tap';
import { type Native, native } from '../../src/native/addon.js';

const addon = native();
// Calls no TypeScript caller can write.
const anything = addon as unknown as Record<keyof Native, (...args: unknown[]) => unknown>;
const pixels = () => new Uint8Array(4 * 6 * 3);
const resize = {
  channels: 3,
  from: { height: 4, width: 6 },
  to: { height: 2, width: 3 },
  window: { top: 0, left: 1, height: 2, width: 2 },
  filter: 'bilinear',
};

t.test('resample takes the pixels at the call', async (t) => {
  const values = pixels().fill(9);
  const done = addon.resample(values, resize as never);
  values.fill(200);
  structuredClone(values.buffer, { transfer: [values.buffer] });
  t.strictSame(await done, new Uint8Array(12).fill(9));
});

t.test('what is no picture or no size is refused', async (t) => {
  const refused: [change: object, name: string, message: RegExp][] = [
    [{ channels: 2 }, 'RangeError', /resize\.channels must be 1 or 3/],
    [{ channels: '3' }, 'TypeError', /resize\.channels must be a number/],
    [{ channels: 1 }, 'RangeError', /pixels must have resize\.from\.height \* resize\.from\.width/],
    [{ from: undefined }, 'TypeError', /resize\.from must be an object/],
    [{ from: { height: 0, width: 6 } }, 'RangeError', /resize\.from\.height must be a positive integer/],
    [{ from: { height: 4, width: 2 ** 31 } }, 'RangeError', /resize\.from\.width must be below 2 \*\* 31/],
    [{ from: { height: 6, width: 6 } }, 'RangeError', /pixels must have/],
    [{ to: { height: 1, width: 3 } }, 'RangeError', /resize\.window must lie within resize\.to/],
    [{ to: { height: 2, width: Number.NaN } }, 'RangeError', /resize\.to\.width must be a positive integer/],
    [{ window: { top: -1, left: 0, height: 1, width: 1 } }, 'RangeError', /resize\.window\.top must be/],
    [{ window: { top: 0, left: 2, height: 2, width: 2 } }, 'RangeError', /resize\.window must lie within/],
    [{ window: { top: 2 ** 53 - 1, left: 0, height: 2, width: 2 } }, 'RangeError', /must lie within/],
    [{ filter: 'linear' }, 'RangeError', /resize\.filter must be nearest, box, bilinear/],
    [{ filter: 1 }, 'TypeError', /resize\.filter must be a string/],
    [
      {
        to: { height: 2 ** 20, width: 2 ** 20 },
        window: { top: 0, left: 0, height: 2 ** 20, width: 2 ** 20 },
      },
      'RangeError',
      /resize\.window must have at most 2 \*\* 30 bytes/,
    ],
  ];
  for (const [change, name, message] of refused) {
    await t.rejects(anything.resample(pixels(), { ...resize, ...change }) as Promise<never>, {
      name,
      message,
    });
  }
  for (const no of [
    undefined,
    null,
    7,
    [],
    new Float32Array(72),
    new Uint8ClampedArray(72),
    Buffer.alloc(72).buffer,
  ]) {
    await t.rejects(anything.resample(no, resize) as Promise<never>, {
      name: 'TypeError',
      message: /^pixels must/,
    });
    await t.rejects(anything.resampleJpeg(no, resize) as Promise<never>, {
      name: 'TypeError',
      message: /^file must/,
    });
  }
  await t.rejects(anything.resample(new Uint8Array(new SharedArrayBuffer(72)), resize) as Promise<never>, {
    name: 'TypeError',
  });
  await t.rejects(anything.resample(pixels()) as Promise<never>, {
    name: 'TypeError',
    message: /resize must be an object/,
  });
});

t.test('a getter that takes the pixels away is noticed', async (t) => {
  const values = pixels();
  const trap = {
    ...resize,
    get filter() {
      structuredClone(values.buffer, { transfer: [values.buffer] });
      return 'box';
    },
  };
  await t.rejects(anything.resample(values, trap) as Promise<never>, {
    name: 'TypeError',
    message: /detached/,
  });
});

t.test('normalize writes planes from where it is told to', async (t) => {
  const table = Float32Array.from({ length: 512 }, (_, at) => at);
  const out = new Float32Array(6);
  addon.normalize(Uint8Array.of(1, 2, 3, 4), table, out, 1);
  t.same([...out], [0, 1, 3, 258, 260, 0]);
});

t.test('normalize refuses what does not fit', async (t) => {
  const [data, table, out] = [new Uint8Array(6), new Float32Array(768), new Float32Array(6)];
  const refused: [args: unknown[], message: RegExp][] = [
    [[data, table, out, 1], /out must have room/],
    [[data, table, out, 2 ** 53 - 1], /out must have room/],
    [[data, table, out, -1], /start must be an integer/],
    [[data, new Float32Array(0), out, 0], /table must have 256 elements per channel/],
    [[data, new Float32Array(300), out, 0], /table must have 256/],
    [[new Uint8Array(5), table, out, 0], /pixels must have one element per channel and pixel/],
  ];
  for (const [args, message] of refused) {
    t.throws(() => anything.normalize(...args), { name: 'RangeError', message });
  }
  t.throws(() => anything.normalize(data, table, new Float64Array(6), 0), { name: 'TypeError' });
  t.throws(() => anything.normalize(out, table, out, 0), { name: 'TypeError' });
});
