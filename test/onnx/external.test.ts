import { createHash } from 'node:crypto';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { inlineExternal } from '../../src/onnx/external.js';
import { type Tensor, TensorSchema } from '../../src/onnx/onnx_pb.js';

/** A float32 tensor whose bytes lie in w.data. */
const stored = (dims: number[], range: { offset?: number; length?: number }, dataType = 1): Tensor =>
  create(TensorSchema, {
    name: 'w',
    dims: dims.map(BigInt),
    dataType,
    dataLocation: 1,
    externalData: Object.entries({ location: 'w.data', ...range }).map(([key, value]) => ({
      key,
      value: String(value),
    })),
  });

t.test(
  'external data may be a link within the folder or a store, and no other',
  { skip: process.platform === 'win32' },
  async (t) => {
    const bytes = Buffer.alloc(32, 1);
    const folder = t.testdir({
      elsewhere: { 'secret.bin': bytes },
      model: { 'm.onnx': '', real: { 'w.bin': bytes } },
      // As the cache of a hub: everything is a link into one folder.
      blobs: { aaa: '', bbb: bytes },
      snapshot: { onnx: {} },
    });
    const at = (...parts: string[]) => join(folder, ...parts);
    const read = (model: string) =>
      inlineExternal(model, [stored([8], { length: 32 })], createHash('sha256'));

    symlinkSync(join('real', 'w.bin'), at('model', 'w.data'));
    t.equal((await read(at('model', 'm.onnx')))[0]?.rawData[0], 1);
    rmSync(at('model', 'w.data'));

    symlinkSync('../../blobs/aaa', at('snapshot', 'onnx', 'm.onnx'));
    symlinkSync('../../blobs/bbb', at('snapshot', 'onnx', 'w.data'));
    t.equal((await read(at('snapshot', 'onnx', 'm.onnx')))[0]?.rawData[0], 1);

    const refused = { code: 'ERR_MODEL', message: /a link out of the model's folder; copy what it names/ };
    symlinkSync(at('elsewhere', 'secret.bin'), at('model', 'w.data'));
    await t.rejects(read(at('model', 'm.onnx')), refused);
    rmSync(at('model', 'w.data'));
    symlinkSync(at('elsewhere'), at('model', 'sub'));
    const through = { ...stored([8], { length: 32 }) };
    through.externalData = through.externalData.map((entry) =>
      entry.key === 'location' ? { ...entry, value: 'sub/secret.bin' } : entry,
    );
    await t.rejects(inlineExternal(at('model', 'm.onnx'), [through], createHash('sha256')), refused);
  },
);

t.test('external data has the size that the tensor needs', async (t) => {
  const folder = t.testdir({});
  writeFileSync(
    join(folder, 'w.data'),
    Uint8Array.from({ length: 4096 }, (_, i) => i % 251),
  );
  const read = (...tensors: Tensor[]) =>
    inlineExternal(join(folder, 'm.onnx'), tensors, createHash('sha256'));

  const [whole, rest, nibbles] = await read(
    stored([4, 8], { offset: 64, length: 128 }),
    stored([2], { offset: 4000 }),
    stored([5], { offset: 0, length: 3 }, 22),
  );
  t.strictSame([whole?.rawData.length, whole?.rawData[0]], [128, 64]);
  t.strictSame(
    [...(rest?.rawData ?? [])],
    [235, 236, 237, 238, 239, 240, 241, 242].map((i) => i % 251),
  );
  t.strictSame([...(nibbles?.rawData ?? [])], [0, 1, 2], 'elements of four bits');

  await t.rejects(
    read(stored([2], { length: 4096 })),
    /data of w has 4096 bytes where float32 \[2\] needs 8/,
  );
  await t.rejects(read(stored([2], { length: 4 })), /has 4 bytes/);
  await t.rejects(read(stored([2048], {})), /needs 8192 bytes of w\.data, which has 4096.*cut off/);
  await t.rejects(read(stored([2], { offset: -8, length: 8 })), /impossible offset/);
  await t.rejects(read(stored([2], {}, 8)), /type 8, whose size/);
  await t.rejects(read(stored([2 ** 40, 2 ** 40], {})), /impossible dimensions/);
});

t.test('tensors may have one range in common, but ask for no more than the files hold', async (t) => {
  const folder = t.testdir({ 'w.data': 'x'.repeat(2 ** 16) });
  const read = (tensors: Tensor[]) => inlineExternal(join(folder, 'm.onnx'), tensors, createHash('sha256'));
  const range = { offset: 0, length: 2 ** 16 };
  const same = await read(Array.from({ length: 1000 }, () => stored([2 ** 14], range)));
  t.equal(new Set(same.map(({ rawData }) => rawData.buffer)).size, 1, 'it is read once');
  const shifted = Array.from({ length: 1000 }, (_, i) =>
    stored([2 ** 13], { offset: 4 * i, length: 2 ** 15 }),
  );
  await t.rejects(read(shifted), /overlaps that of other tensors in w\.data/);
});
