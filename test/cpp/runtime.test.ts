import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { native } from '../../src/native.js';
import { onnxruntimeLibrary } from '../../src/native-engine.js';
import { example } from '../fixtures.js';
import { CLASSES, product } from './engine-models.js';

const { runtime } = native();
const library = onnxruntimeLibrary();

t.test('a graph tells the types and shapes of its outputs', async (t) => {
  t.strictSame(await runtime.ports(library, product(3)), [{ name: 'logits', type: 1, dims: [3, CLASSES] }]);
});

t.test('an optimised model is a model, with the same output', async (t) => {
  const path = join(t.testdir({}), 'optimised.onnx');
  await runtime.optimise(library, readFileSync(example('resnet.onnx')), path);
  const ports = await runtime.ports(library, readFileSync(path));
  t.equal(ports.length, 1);
  t.equal(ports[0]?.dims.at(-1), 10);
});

t.test(
  'what is not a model, and a file that cannot be written, reject with what ONNX Runtime says',
  async (t) => {
    const junk = Uint8Array.of(1, 2, 3);
    await t.rejects(runtime.ports(library, junk), { message: /./ });
    const path = join(t.testdir({}), 'out.onnx');
    await t.rejects(runtime.optimise(library, junk, path), { message: /./ });
    await t.rejects(runtime.optimise(library, product(1), join(path, 'no', 'such', 'folder')), {
      message: /./,
    });
    await t.rejects(runtime.ports('/no/such/library.so', junk), { message: /cannot load/ });
    await t.rejects(runtime.ports(library, 'x' as unknown as Uint8Array), TypeError);
    await t.rejects(runtime.optimise(library, junk, undefined as unknown as string), TypeError);
  },
);
