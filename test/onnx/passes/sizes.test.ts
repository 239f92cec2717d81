/** Models that leave their images' sizes open, as transformers' and Optimum's exports do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { openFastEngine } from '../../../src/engines/fast.js';
import { openImages } from '../../../src/images/index.js';
import { modelInput } from '../../../src/model/input.js';
import { loadModel } from '../../../src/model/load.js';
import { readChunk } from '../../../src/sweep/chunks-ahead.js';
import { critmap } from '../../commands/critmap.js';
import { bytesOf, npy, pattern } from '../../images/build-files.js';
import { node, value, weight, writeGraph } from '../graphs.js';

type Sizes = (number | null)[];
const scalar = (name: string) => ({
  ...weight(name, []),
  rawData: new Uint8Array(Float32Array.of(0.5).buffer),
});

/** Two groups of two channels, read after a scaling. */
function write(path: string, images: Sizes, first: 'Conv' | 'Gemm' = 'Conv'): string {
  writeGraph(path, {
    node: [
      node('Mul', ['pixel_values', 'half'], 'm'),
      ...(first === 'Conv'
        ? [node('Conv', ['m', 'conv.weight'], 'c', { kernel_shape: [3, 3], group: 2 })]
        : [node('Identity', ['m'], 'c')]),
      node('GlobalMaxPool', ['c'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('Gemm', ['f', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [scalar('half'), weight('conv.weight', [4, 2, 3, 3], -30), weight('fc.weight', [3, 4], -5)],
    input: [value('pixel_values', images)],
    output: [value('logits', [null, 3])],
  });
  return path;
}

t.test('channels that the input leaves open are those of the first convolution', async (t) => {
  const folder = t.testdir({});
  const open: Sizes = [null, null, null, null];
  const { io } = await loadModel(write(join(folder, 'm.onnx'), open));
  t.match(io, { batch: null, channels: 4, height: null, width: null, classes: 3 });
  const linear = write(join(folder, 'linear.onnx'), open, 'Gemm');
  await t.rejects(loadModel(linear), {
    code: 'ERR_MODEL',
    message: /does not say how many channels it has; give --channels/,
  });
  t.match((await loadModel(linear, { channels: 4 })).io, { channels: 4 });
  for (const channels of [1, 3]) {
    const message = new RegExp(
      `^--channels ${channels} does not fit .*m\\.onnx, whose first convolution conv\\.weight reads 4; leave it out`,
    );
    await t.rejects(loadModel(join(folder, 'm.onnx'), { channels }), { code: 'ERR_OPTION', message });
  }
});

t.test('--channels and --size settle what is open, and must fit what is not', async (t) => {
  const folder = t.testdir({});
  const [any, fixed] = [
    write(join(folder, 'any.onnx'), [null, null, null, null]),
    write(join(folder, 'fixed.onnx'), [null, 4, 8, 8]),
  ];
  t.match((await loadModel(any, { size: 16 })).io, { channels: 4, height: 16, width: 16 });
  t.match((await loadModel(fixed, { size: 8, channels: 4 })).io, { height: 8, width: 8 });
  for (const [option, message] of [
    [{ size: 16 }, /--size 16 does not fit .*fixed\.onnx, whose images are 4 x 8 x 8/],
    [{ channels: 3 }, /--channels 3 does not fit .*fixed\.onnx/],
  ] as const) {
    await t.rejects(loadModel(fixed, option), { code: 'ERR_OPTION', message });
  }
  const { code, stdout } = await critmap('inspect', any, '--size', '12', '--json');
  t.equal(code, 0);
  t.match(JSON.parse(stdout).input, { channels: 4, height: 12, width: 12 });
});

t.test('tensors and pixels of an array run in the size that they have', async (t) => {
  const folder = t.testdir({});
  const path = write(join(folder, 'm.onnx'), [null, null, null, null]);
  const model = await loadModel(path);
  const tensors = Float32Array.from({ length: 2 * 4 * 9 * 10 }, (_, i) => Math.sin(i * i));
  writeFileSync(join(folder, 'tensors.npy'), npy('<f4', [2, 4, 9, 10], bytesOf(tensors)));
  writeFileSync(join(folder, 'pixels.npy'), npy('|u1', [2, 9, 10, 4], pattern(2 * 9 * 10 * 4)));
  for (const name of ['tensors.npy', 'pixels.npy']) {
    const set = await openImages(join(folder, name), { ...modelInput(model), images: 'all' });
    t.strictSame(set.shape, { channels: 4, height: 9, width: 10 });
    const floats = new Float32Array(tensors.length);
    await set.read(0, 2, floats);
    if (name === 'tensors.npy') t.strictSame(floats, tensors);
    const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
    const { logits } = await session.run({ pixel_values: new Tensor('float32', floats, [2, 4, 9, 10]) });
    await session.release();
    const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
    const chunk = await readChunk(set, 0, 2);
    const engine = await openFastEngine(model, { cells: [], context, size: set.shape, batch: 2, threads: 1 });
    const found = await engine.original(chunk, 2);
    await engine.close();
    await set.close();
    for (const [i, one] of (logits!.data as Float32Array).entries()) {
      t.ok(Math.abs(found.logits[i]! - one) < 1e-5, `${found.logits[i]} is ${one}`);
    }
  }
  writeFileSync(join(folder, 'last.npy'), npy('<f4', [2, 9, 10, 4], bytesOf(tensors)));
  await t.rejects(openImages(join(folder, 'last.npy'), { ...modelInput(model), images: 'all' }), {
    message:
      /tensors are 9x10x4, the model takes 4 channels of any size \(.*; .* save images\.transpose\(0, 3, 1, 2\)$/,
  });
  const asked = { ...modelInput(model, 8), images: 'all' } as const;
  await t.rejects(openImages(join(folder, 'tensors.npy'), asked), {
    message: /tensors are 4x9x10, the model takes 4x8x8/,
  });
});
