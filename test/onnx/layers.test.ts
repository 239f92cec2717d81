import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { fixture, truth } from '../fixtures.js';

const exports = {
  bottleneck: ['', '.dynamo', '.dynamo-plain', '.external', '.folded'],
  depthwise: ['', '.dynamo'],
  mlp: ['', '.dynamo'],
  tied: ['', '.dynamo'],
  vit: ['', '.dynamo', '.dynamo-plain', '.folded'],
};

for (const [name, kinds] of Object.entries(exports)) {
  const modules = truth(name).layers;
  for (const kind of kinds) {
    t.test(`${name}${kind}.onnx has PyTorch's layers, with its names and shapes`, async (t) => {
      // An optimising export folds BatchNorm into the convolution, which gains a bias that PyTorch's lacks.
      const folds = name === 'bottleneck' && (kind === '.dynamo' || kind === '.folded');
      const { layers } = await loadModel(fixture(`${name}${kind}.onnx`));
      const found = layers.map((layer) => ({
        name: layer.name,
        shape: layer.weight.shape,
        bias: layer.bias !== null,
        groups: layer.groups,
      }));
      const expected = modules
        .filter((module) => !module.shares)
        .map((module) => ({
          name: module.name,
          shape: module.weight_shape,
          bias: module.bias || (folds && module.type === 'Conv2d'),
          groups: module.groups,
        }));
      t.strictSame(found, expected);
      // torch.nn.init: size(1) and size(0) times the kernel, whatever the storage or the groups.
      for (const [i, { fanIn, fanOut }] of layers.entries()) {
        const [out = 0, inputs = 0, ...kernel] = expected[i]?.shape ?? [];
        const receptive = kernel.reduce((product, d) => product * d, 1);
        t.strictSame([fanIn, fanOut], [inputs * receptive, out * receptive]);
      }
    });
  }
}

t.test('a weight that two modules share is one layer, used twice', async (t) => {
  const model = await loadModel(fixture('tied.onnx'));
  const uses = model.layers.map((layer) => [layer.name, layer.uses]);
  t.strictSame(uses, [
    ['fc1', 2],
    ['head', 1],
  ]);
});
