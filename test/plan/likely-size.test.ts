/** Sizes that a table of positions tells, and inputs that are no images. */
import { join } from 'node:path';
import t from 'tap';
import { openFastEngine } from '../../src/engines/fast.js';
import { loadModel } from '../../src/model/load.js';
import { longs, node, value, weight, writeGraph } from '../onnx/graphs.js';

const context = { seed: 0, init: 'auto', norm: 'keep' } as const;

/** Patches of 4 x 4, a class token and positions of 3 x 3 patches. */
function write(path: string): string {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'patch_embed.weight'], 'p', { kernel_shape: [4, 4], strides: [4, 4] }),
      node('Flatten', ['p'], 'flat', { axis: 2 }),
      node('Reshape', ['p', 'rows'], 'r'),
      node('Transpose', ['r'], 't', { perm: [0, 2, 1] }),
      node('Concat', ['token', 't'], 'c', { axis: 1 }),
      node('Add', ['c', 'pos_embed'], 'a'),
      node('ReduceMean', ['a'], 'm', { axes: [1], keepdims: 0 }),
      node('Gemm', ['m', 'head.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      weight('patch_embed.weight', [6, 3, 4, 4]),
      longs('rows', [1, 6, -1]),
      weight('token', [1, 1, 6]),
      weight('pos_embed', [1, 10, 6]),
      weight('head.weight', [5, 6]),
    ],
    input: [value('images', [1, 3, null, null])],
    output: [value('logits', [1, 5])],
  });
  return path;
}

t.test('a size that its table of positions does not have leads to the one that it has', async (t) => {
  const model = await loadModel(write(join(t.testdir({}), 'm.onnx')));
  const open = (edge: number) =>
    openFastEngine(model, {
      ...{ cells: [], context, batch: 1, threads: 1 },
      size: { height: edge, width: edge },
    });
  await t.rejects(open(16), {
    code: 'ERR_MODEL',
    message: /m\.onnx: .* of 16 pixels; its table of positions is for 12: try --size 12/,
  });
  await (await open(12)).close();
});

t.test('a single image without a batch is told as such, by the name that the file has', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  writeGraph(path, {
    node: [
      node('Cast', ['images'], 'c', { to: 1 }),
      node('Reshape', ['c', 'flat'], 'r'),
      node('Gemm', ['r', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [weight('fc.weight', [10, 48]), longs('flat', [1, 48])],
    input: [value('images', [4, 4, 3], 2)],
    output: [value('logits', [1, 10])],
  });
  await t.rejects(loadModel(path), {
    code: 'ERR_MODEL',
    message:
      /the input images has the shape 4 x 4 x 3; critmap needs images, N x .*, and this is a single one: export the/,
  });
});

t.test('flat inputs, and images without channels, are refused with the way to take images', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  for (const [shape, layer] of [
    [[null, 784], 'Flatten\\(1\\)'],
    [[null, 28, 28], 'Flatten\\(1, 2\\)'],
  ] as const) {
    writeGraph(path, {
      node: [node('Flatten', ['images'], 'f'), node('Gemm', ['f', 'fc.weight'], 'logits', { transB: 1 })],
      initializer: [weight('fc.weight', [10, 784])],
      input: [value('images', shape)],
      output: [value('logits', [null, 10])],
    });
    await t.rejects(loadModel(path), {
      code: 'ERR_MODEL',
      message: new RegExp(`needs images.*export torch\\.nn\\.Sequential\\(torch\\.nn\\.${layer}, model\\)`),
    });
  }
});
