/** Classifiers of two classes that give one number. */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { describe } from '../../../src/commands/inspect-model.js';
import { loadModel } from '../../../src/model/load.js';
import type { Model } from '../../../src/model/model.js';
import { sessionOf } from '../../../src/onnx/file.js';
import type { Node } from '../../../src/onnx/onnx_pb.js';
import { node, value, weight, writeGraph } from '../graphs.js';

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
async function model(path: string, nodes: Node[], output: string, outputs = 1): Promise<Model> {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c'),
      node('GlobalAveragePool', ['c'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('Gemm', ['f', 'fc.weight'], 'z', { transB: 1 }),
      ...nodes,
    ],
    initializer: [weight('conv.weight', [5, 2, 3, 3]), weight('fc.weight', [outputs, 5])],
    input: [value('images', [null, 2, 8, 8])],
    output: [value(output, [null, outputs])],
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

t.test('sigmoids of several classes are named, with the tensor that they are taken of', async (t) => {
  const several = await model(join(t.testdir({}), 'm.onnx'), [node('Sigmoid', ['z'], 'p')], 'p', 3);
  t.equal(several.io.classes, 3);
  t.match(several.warnings, [/output p is a sigmoid, of each class on its own.*--output "z"/]);
});
