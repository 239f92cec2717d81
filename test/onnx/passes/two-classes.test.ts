/** Classifiers of two classes that give one number. */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { describe } from '../../../src/commands/inspect-model.js';
import { loadModel } from '../../../src/model/load.js';
import type { Model } from '../../../src/model/model.js';
import { sessionOf } from '../../../src/onnx/file.js';
import type { Node, Tensor as Stored } from '../../../src/onnx/onnx_pb.js';
import { longs, node, value, weight, writeGraph } from '../graphs.js';

/** Two images of 2 x 8 x 8. */
const images = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));

async function logitsOf({ file, io }: Model): Promise<number[]> {
  const { bytes } = sessionOf(file);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const { [io.output]: logits } = await session.run(
    { [io.input]: new Tensor('float32', images, [2, 2, 8, 8]) },
    [io.output],
  );
  await session.release();
  return Array.from((logits as Tensor).data as Float32Array);
}

/** A convolution and a Linear that makes `z`, and what follows. */
async function model(
  path: string,
  nodes: Node[],
  output: string,
  outputs = 1,
  { shape = [null, outputs], stored = [] }: { shape?: (number | null)[]; stored?: Stored[] } = {},
): Promise<Model> {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c'),
      node('GlobalAveragePool', ['c'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('Gemm', ['f', 'fc.weight'], 'z', { transB: 1 }),
      ...nodes,
    ],
    initializer: [weight('conv.weight', [5, 2, 3, 3], -40), weight('fc.weight', [outputs, 5]), ...stored],
    input: [value('images', [null, 2, 8, 8])],
    output: [value(output, shape)],
  });
  return loadModel(path);
}

t.test('one logit, or its sigmoid, becomes the logits of two classes', async (t) => {
  const dir = t.testdir({});
  const plain = await model(join(dir, 'plain.onnx'), [], 'z');
  const [first, a = 0, second, b = 0] = await logitsOf(plain);
  t.strictSame([plain.io.classes, first, second], [2, 0, 0]);
  t.ok(Math.abs(a - b) > 1e-3, 'the images differ');
  t.strictSame(
    plain.layers.map(({ name }) => name),
    ['conv', 'fc'],
  );
  t.strictSame(
    describe(plain).output,
    { name: 'z', classes: 2, compared: 'z' },
    'inspect gives the name in the file',
  );
  t.match(plain.warnings, [/plain\.onnx: its output z is one number, taken for the logit of the second/]);
  for (const nodes of [
    [node('Sigmoid', ['z'], 'p')],
    [node('Sigmoid', ['z'], 's'), node('Identity', ['s'], 'p')],
  ]) {
    const squashed = await model(join(dir, 'squashed.onnx'), nodes, 'p');
    t.strictSame(await logitsOf(squashed), [0, a, 0, b]);
    t.match(squashed.warnings, [/its output p is one number/]);
  }
});

const number = (name: string, is: number): Stored => ({
  ...weight(name, []),
  rawData: new Uint8Array(Float32Array.of(is).buffer),
});

t.test(
  'what only arranges or bounds a sigmoid changes nothing, whether its size is stated or not',
  async (t) => {
    const path = join(t.testdir({}), 'm.onnx');
    const expected = await logitsOf(await model(path, [], 'z'));
    const sigmoid = node('Sigmoid', ['z'], 's');
    const stored = [number('low', 1e-6), number('high', 1 - 1e-6), longs('two', [2]), longs('flat', [-1, 1])];
    const endings: [string, Node[], (number | null)[]][] = [
      ['clipped', [node('Clip', ['s', 'low', 'high'], 'p')], [null, 1]],
      ['N x 1 x 1', [node('Unsqueeze', ['s', 'two'], 'p')], [null, 1, 1]],
      ['of a size that is not stated', [node('Reshape', ['s', 'flat'], 'p')], [null, null]],
    ];
    for (const [title, nodes, shape] of endings) {
      const found = await model(path, [sigmoid, ...nodes], 'p', 1, { shape, stored });
      t.equal(found.io.classes, 2, title);
      t.strictSame(await logitsOf(found), expected, title);
      t.match(found.warnings, [/its output p is one number, taken for the logit/], title);
    }
  },
);

t.test('one number that is a probability, as noise shows, becomes the logarithms of two', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const [, a = 0, , b = 0] = await logitsOf(await model(path, [], 'z'));
  const nodes = [node('Sigmoid', ['z'], 's'), node('Sub', ['one', 's'], 'p')];
  for (const shape of [
    [null, 1],
    [null, null],
  ]) {
    const found = await model(path, nodes, 'p', 1, { shape, stored: [number('one', 1)] });
    const logits = await logitsOf(found);
    // 1 - sigmoid (z) = sigmoid (-z).
    const wanted = [a, b].flatMap((z) => [-Math.log(1 + Math.exp(-z)), -Math.log(1 + Math.exp(z))]);
    t.ok(
      logits.length === 4 && logits.every((one, i) => Math.abs(one - wanted[i]!) < 1e-5),
      `${logits} are ${wanted}`,
    );
    t.match(found.warnings, [/one number, taken for the probability of the second of two classes/]);
  }
});

t.test('sigmoids of several classes are named, with the tensor that they are taken of', async (t) => {
  const several = await model(join(t.testdir({}), 'm.onnx'), [node('Sigmoid', ['z'], 'p')], 'p', 3);
  t.equal(several.io.classes, 3);
  t.match(several.warnings, [/output p is a sigmoid, of each class on its own.*--output "z"/]);
  const nodes = [node('Sigmoid', ['z'], 's'), node('Clip', ['s', 'low'], 'p')];
  const clipped = await model(join(t.testdir({}), 'm.onnx'), nodes, 'p', 3, {
    stored: [number('low', 1e-6)],
  });
  t.match(clipped.warnings, [/output p is a sigmoid, of each class on its own.*--output "z"/]);
});
