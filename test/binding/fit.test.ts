import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Native, native } from '../../src/native/addon.js';
import { fixture } from '../fixtures.js';

const addon = native();
// Calls no TypeScript caller can write.
const anything = addon as unknown as Record<keyof Native, (...args: unknown[]) => unknown>;
const path = fixture('images/photo-chelsea.jpg');
const file = readFileSync(path);
const fit = { resize: 20, interpolation: 'bilinear', crop: { height: 16, width: 12 } } as const;
const most = 1e6;
const room = () => new Uint8Array(16 * 12 * 3).fill(7);
const noJpeg = addon.info().jpeg ? false : 'built without libjpeg-turbo';

t.test('a file gives its pixels and its hash, by its path or its content', { skip: noJpeg }, async (t) => {
  const place = addon.placement({ height: 120, width: 160 }, fit);
  const resize = { channels: 3, from: { height: 120, width: 160 }, ...place, filter: 'bilinear' } as const;
  const expected = await addon.resampleJpeg(file, resize);
  const sha256 = createHash('sha256').update(file).digest();
  for (const source of [path, file]) {
    const [out, digest] = [room(), Buffer.alloc(32)];
    t.equal(await addon.fitJpeg(source, 3, fit, most, out, digest), true);
    t.strictSame(out, expected);
    t.strictSame(digest, sha256);
    const alone = room();
    t.equal(await addon.fitJpeg(source, 3, fit, most, alone, null), true);
    t.strictSame(alone, expected);
  }
});

t.test('a picture smaller than the crop is surrounded by black', { skip: noJpeg }, async (t) => {
  const wide = { ...fit, resize: 3, crop: { height: 5, width: 9 } };
  const out = new Uint8Array(45).fill(7);
  t.equal(await addon.fitJpeg(path, 1, wide, most, out, null), true);
  // 120 x 160 to 3 x 4: the odd pixel is below and to the right.
  const lit = [...out].map((value) => value > 0);
  t.same(
    lit,
    Array.from({ length: 45 }, (_, at) => at >= 9 && at < 36 && at % 9 >= 2 && at % 9 < 6),
  );
});

t.test('what needs more than that leaves everything as it was', async (t) => {
  for (const [source, pixels] of [
    [path, 120 * 160 - 1],
    [fixture('images/none.jpg'), most],
    [fixture('images'), most],
    ['', most],
    [fixture('images/cases.json'), most],
    [fixture('images/progressive.jpg'), most],
    [file.subarray(0, -2), most],
    [new Uint8Array(0), most],
  ] as const) {
    const [out, digest] = [room(), Buffer.alloc(32, 7)];
    t.equal(await addon.fitJpeg(source, 3, fit, pixels, out, digest), false);
    t.ok(out.every((value) => value === 7) && digest.every((value) => value === 7));
  }
  const strip = { ...fit, resize: 2 ** 30 };
  t.equal(await addon.fitJpeg(path, 3, strip, most, room(), null), false, 'too large when it is resized');
});

t.test('arrays that go away meanwhile are noticed', { skip: noJpeg }, async (t) => {
  for (const which of [0, 1]) {
    const arrays = [room(), new Uint8Array(32)] as const;
    const done = addon.fitJpeg(path, 3, fit, most, ...arrays);
    const { buffer } = arrays[which]!;
    structuredClone(buffer, { transfer: [buffer] });
    await t.rejects(done, { name: 'TypeError', message: /^out or digest was detached or resized/ });
  }
  const bytes = Uint8Array.from(file);
  const out = room();
  const done = addon.fitJpeg(bytes, 3, fit, most, out, null);
  bytes.fill(0);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  t.equal(await done, true, 'the file is copied at the call');
});

t.test('what is no file, no fit or no room is refused', async (t) => {
  const refused: [change: [at: number, value: unknown], name: string, message: RegExp][] = [
    [[0, 7], 'TypeError', /^file must be a Uint8Array/],
    [[0, undefined], 'TypeError', /^file must be/],
    [[0, new Uint8Array(new SharedArrayBuffer(9))], 'TypeError', /^file must not be/],
    [[0, 'a\0.jpg'], 'RangeError', /^file must not contain a NUL/],
    [[1, 2], 'RangeError', /^channels must be 1 or 3/],
    [[1, '3'], 'TypeError', /^channels must be a number/],
    [[2, null], 'TypeError', /^fit must be an object/],
    [[2, { ...fit, resize: 0 }], 'RangeError', /^fit\.resize must be a positive integer/],
    [[2, { ...fit, resize: undefined }], 'TypeError', /^fit\.resize must be a number/],
    [[2, { ...fit, resize: 2 ** 31 }], 'RangeError', /^fit\.resize must be below/],
    [[2, { ...fit, interpolation: 'linear' }], 'RangeError', /^fit\.interpolation must be nearest, box/],
    [[2, { ...fit, crop: 16 }], 'TypeError', /^fit\.crop must be an object/],
    [[2, { ...fit, crop: { height: 16, width: 0 } }], 'RangeError', /^fit\.crop\.width must be/],
    [[2, { ...fit, crop: { height: 2 ** 20, width: 2 ** 20 } }], 'RangeError', /at most 2 \*\* 30 bytes/],
    [[3, 0], 'RangeError', /^mostPixels must be a positive integer/],
    [[4, new Uint8Array(575)], 'RangeError', /^out must have 576 elements/],
    [[4, new Float32Array(576)], 'TypeError', /^out must be a Uint8Array/],
    [[4, null], 'TypeError', /^out must be/],
    [[5, new Uint8Array(31)], 'RangeError', /^digest must have 32 elements/],
    [[5, undefined], 'TypeError', /^digest must be/],
  ];
  for (const [[at, value], name, message] of refused) {
    const args: unknown[] = [path, 3, fit, most, room(), null];
    args[at] = value;
    await t.rejects(anything.fitJpeg(...args) as Promise<never>, { name, message });
  }
  const out = room();
  const trap = {
    ...fit,
    get interpolation() {
      structuredClone(out.buffer, { transfer: [out.buffer] });
      return 'box';
    },
  };
  await t.rejects(anything.fitJpeg(path, 3, trap, most, out, null) as Promise<never>, {
    name: 'TypeError',
    message: /detached/,
  });
  t.throws(() => anything.placement({ height: 1 }, fit), { name: 'TypeError', message: /^from\.width must/ });
  t.throws(() => anything.placement({ height: 1, width: 300_000 }, { ...fit, resize: 256 }), {
    name: 'RangeError',
    message: '1x300000 pixels resize to 256x76800000, too large',
  });
});
