import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { native } from '../../../src/native/addon.js';
import { onnxruntimeLibrary } from '../../../src/native/engine.js';
import { example } from '../../fixtures.js';
import { CLASSES, product } from '../engine/models.js';

const { runtime } = native();
const library = onnxruntimeLibrary();

t.test('a graph tells the types and shapes of its outputs', async (t) => {
  t.strictSame(await runtime.ports(library, product(3)), [{ name: 'logits', type: 1, dims: [3, CLASSES] }]);
});

t.test('an optimised model is a model, with the same output', async (t) => {
  const path = join(t.testdir({}), 'optimised.onnx');
  await runtime.optimise(library, example('resnet.onnx'), path);
  const ports = await runtime.ports(library, readFileSync(path));
  t.equal(ports.length, 1);
  t.equal(ports[0]?.dims.at(-1), 10);
});

t.test(
  'what is not a model, and a file that cannot be written, reject with what ONNX Runtime says',
  async (t) => {
    const junk = Buffer.of(1, 2, 3);
    await t.rejects(runtime.ports(library, junk), { message: /./ });
    const folder = t.testdir({ junk });
    const path = join(folder, 'out.onnx');
    await t.rejects(runtime.optimise(library, join(folder, 'junk'), path), { message: /./ });
    await t.rejects(runtime.optimise(library, join(folder, 'none'), path), { message: /./ });
    await t.rejects(runtime.optimise(library, example('resnet.onnx'), join(path, 'no', 'such')), {
      message: /./,
    });
    await t.rejects(runtime.ports('/no/such/library.so', junk), { message: /cannot load/ });
    await t.rejects(runtime.ports(library, 'x' as unknown as Uint8Array), TypeError);
    await t.rejects(runtime.optimise(library, path, undefined as unknown as string), TypeError);
  },
);
