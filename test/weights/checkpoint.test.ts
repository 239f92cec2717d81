import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { openCheckpoint, readContents } from '../../src/weights/checkpoint.js';
import { readFloats } from '../../src/weights/stored-tensor.js';
import { fixture } from '../fixtures.js';
import { zip, zip64 } from '../images/build-files.js';
import { dict, floats, op, pickle, safetensors, tensor, torchLegacy, torchZip } from './build-checkpoints.js';

/** Every tensor that can be read, as `path.name`: shape and values. */
async function contents(path: string): Promise<Record<string, [shape: number[], values: number[]]>> {
  const checkpoint = await openCheckpoint(path);
  const found: Record<string, [number[], number[]]> = {};
  for (const { path, tensors } of checkpoint.tables) {
    for (const [name, tensor] of tensors) {
      const values = tensor.type.readable ? [...(await readFloats(tensor))] : [];
      found[[...path, name].join('.')] = [[...tensor.shape], values];
    }
  }
  await checkpoint.close();
  return found;
}

async function contentsOf(t: Test, bytes: Uint8Array) {
  const path = join(t.testdir(), 'file');
  writeFileSync(path, bytes);
  return contents(path);
}

t.test(
  'safetensors, PyTorch zip and PyTorch legacy files of the same weights hold the same values',
  async (t) => {
    const wanted = await contents(fixture('weights/bottleneck.safetensors'));
    t.strictSame(await contents(fixture('weights/bottleneck.legacy.pth')), wanted);
    const strided = await contents(fixture('weights/bottleneck.strided.pth'));
    for (const [name, tensor] of Object.entries(strided))
      t.strictSame(tensor, wanted[name.slice('model.'.length)]);
    t.equal(
      Object.keys(wanted).filter((name) => !name.endsWith('num_batches_tracked')).length,
      Object.keys(strided).length,
    );
  },
);

t.test('what training keeps beside the weights is passed over', async (t) => {
  const found = await contents(fixture('weights/mlp.pth.tar'));
  t.match(Object.keys(found), ['best_acc1', 'state_dict.module.fc1.weight']);
  t.strictSame(found.best_acc1, [[], [76.5]]);
  t.ok(
    Object.keys(found).some((name) => name.startsWith('optimizer.state.0.momentum')),
    'found, but nothing matches it',
  );
});

const layouts: [title: string, words: object, shape: number[], values: number[]][] = [
  ['dense', { shape: [2, 2], strides: [2, 1] }, [2, 2], [1, 2, 3, 4]],
  ['transposed', { shape: [2, 2], strides: [1, 2] }, [2, 2], [1, 3, 2, 4]],
  ['with an offset', { shape: [3], offset: 1 }, [3], [2, 3, 4]],
  ['every second one', { shape: [2], strides: [2] }, [2], [1, 3]],
  ['expanded', { shape: [2, 3], strides: [1, 0] }, [2, 3], [1, 1, 1, 2, 2, 2]],
  ['of one element', { shape: [], strides: [], offset: 3 }, [], [4]],
  ['empty', { shape: [0, 3], strides: [3, 1] }, [0, 3], []],
  ['with dimensions of 1 and odd strides', { shape: [1, 4, 1], strides: [9, 1, 7] }, [1, 4, 1], [1, 2, 3, 4]],
];
for (const [title, words, shape, values] of layouts) {
  t.test(`a tensor that is ${title} has its values in row-major order`, async (t) => {
    const program = pickle(dict({ a: tensor(words) }));
    for (const bytes of [torchZip(program), torchLegacy(program)]) {
      t.strictSame(await contentsOf(t, bytes), { a: [shape, values] });
    }
  });
}

t.test('three dimensions in any order', async (t) => {
  const data = floats(...Array.from({ length: 24 }, (_, i) => i));
  // [2, 3, 4] permuted to [4, 2, 3].
  const words = { count: 24, shape: [4, 2, 3], strides: [1, 12, 4] };
  const { a } = await contentsOf(t, torchZip(pickle(dict({ a: tensor(words) })), { 0: data }));
  const expected = [0, 1, 2, 3].flatMap((k) =>
    [0, 1].flatMap((i) => [0, 1, 2].map((j) => 12 * i + 4 * j + k)),
  );
  t.strictSame(a?.[1], expected);
});

t.test('float16 and bfloat16 keep every value, float64 is rounded', async (t) => {
  // Largest, smallest and least normal float16, one, minus two, a third, infinities (IEEE 754 binary16).
  const half = Uint16Array.of(0x7bff, 0x0001, 0x0400, 0x3c00, 0xc000, 0x3555, 0x7c00, 0xfc00, 0x8000);
  const halves = [65504, 2 ** -24, 2 ** -14, 1, -2, 0.333251953125, Infinity, -Infinity, -0];
  const brain = Uint16Array.of(0x3f80, 0xc000, 0x7f7f, 0x0001, 0x3eab);
  const brains = [1, -2, 3.3895313892515355e38, 9.183549615799121e-41, 0.333984375];
  const double = Float64Array.of(1 / 3, 1e300, -0.1);
  const header = (dtype: string, count: number, bytes: number) => ({
    a: { dtype, shape: [count], data_offsets: [0, bytes] },
  });
  const read = async (dtype: string, data: Uint16Array | Float64Array) =>
    (
      await contentsOf(
        t,
        safetensors(header(dtype, data.length, data.byteLength), new Uint8Array(data.buffer)),
      )
    ).a?.[1];
  t.strictSame(await read('F16', half), halves);
  t.strictSame(await read('BF16', brain), brains);
  t.strictSame(await read('F64', double), [1 / 3, 1e300, -0.1].map(Math.fround));
});

t.test('a large float16 tensor is converted piece by piece without a seam', async (t) => {
  const data = Uint16Array.from({ length: 600_001 }, (_, i) => (i % 0x7c00) ^ (i & 1 ? 0x8000 : 0));
  const header = { a: { dtype: 'F16', shape: [data.length], data_offsets: [0, data.byteLength] } };
  const { a } = await contentsOf(t, safetensors(header, new Uint8Array(data.buffer)));
  const value = (bits: number) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits & 0x8000 ? -size : size;
  };
  t.ok(a?.[1].every((found, i) => found === value(data[i] ?? 0)));
});

t.test('a zip64 file, as torch.save writes above 4 GB, is read', async (t) => {
  const program = pickle(dict({ a: tensor() }));
  const bytes = zip64([
    { name: 'a/data.pkl', data: program },
    { name: 'a/data/0', data: floats(1, 2, 3, 4) },
  ]);
  t.strictSame(await contentsOf(t, bytes), { a: [[4], [1, 2, 3, 4]] });
});

t.test("protocol 0's operations in text are read", async (t) => {
  const rest = "sVb\\u00e9\np4\nI12\nsS'c'\nF0.5\nsS'd'\nL7L\nsS'e'\nI01\nsg4\nF-inf\ns.";
  const program = (last: string) =>
    Buffer.from(`(dp0\nS'a'\np1\nccollections\nOrderedDict\np2\n(tRp3\n${last}`, 'latin1');
  t.strictSame(await contentsOf(t, torchZip(program(rest))), {});
  for (const last of ["sS'c'\nI1x\ns.", "sS'c'\nF0x1\ns.", "sS'c\nNs.", 'sg5\nNs.']) {
    await t.rejects(contentsOf(t, torchZip(program(last))), { message: /its pickle is damaged/ });
  }
});

t.test('tensors under a dict that is reached twice are found once', async (t) => {
  const program = pickle(
    ...[op.emptyDict, op.mark, op.text('model'), dict({ a: tensor() }), op.put(7)],
    ...[op.text('again'), op.get(7), op.setItems],
  );
  t.strictSame(Object.keys(await contentsOf(t, torchZip(program))), ['model.a']);
});

t.test('a dict that holds itself is read to its end', async (t) => {
  const program = pickle(
    op.emptyDict,
    op.put(1),
    op.mark,
    op.text('self'),
    op.get(1),
    op.text('a'),
    tensor(),
    op.setItems,
  );
  t.strictSame(Object.keys(await contentsOf(t, torchZip(program))), ['a']);
});

t.test("the hash is the file's, also of one that is longer than what is read at a time", async (t) => {
  const { createHash } = await import('node:crypto');
  const data = Buffer.alloc(9 * 2 ** 20, 'weights');
  const bytes = safetensors(
    { a: { dtype: 'U8', shape: [data.length], data_offsets: [0, data.length] } },
    data,
  );
  const path = join(t.testdir(), 'long.safetensors');
  writeFileSync(path, bytes);
  const checkpoint = await openCheckpoint(path);
  t.equal(await checkpoint.sha256(), createHash('sha256').update(readFileSync(path)).digest('hex'));
  await checkpoint.close();
});

t.test('a compressed storage that is read piece by piece is inflated once', async (t) => {
  const values = floats(...Array.from({ length: 64 }, (_, i) => i));
  const words = { count: 64, shape: [64] };
  const bytes = zip([
    { name: 'a/data.pkl', data: pickle(dict({ a: tensor(words) })) },
    { name: 'a/data/0', data: values, method: 'deflated' },
  ]);
  let reads = 0;
  const { tables } = await readContents({
    path: 'deflated.pth',
    byteLength: bytes.length,
    read: async (position, length) => {
      reads++;
      return Buffer.from(bytes.subarray(position, position + length));
    },
    readInto: async (target, position) => void target.set(bytes.subarray(position, position + target.length)),
  });
  const storage = tables[0]?.tensors.get('a')?.storage;
  const readsOf = async (position: number) => {
    const before = reads;
    const target = new Uint8Array(128);
    await storage?.readInto(target, position);
    t.strictSame(Buffer.from(target), values.subarray(position, position + 128));
    return reads - before;
  };
  t.ok((await readsOf(0)) > 0);
  // Memory that nobody holds is gone after this.
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  await setImmediate();
  collect();
  t.equal(await readsOf(128), 0);
});
