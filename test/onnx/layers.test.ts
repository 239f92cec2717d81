import { readFileSync } from 'node:fs';
import t from 'tap';
import { indexGraph } from '../../src/onnx/graph.js';
import { findLayers } from '../../src/onnx/layers.js';
import { readOnnx } from '../../src/onnx/model.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;

interface Truth {
  layers: { name: string; type: string; weight_shape: number[]; bias: boolean; groups: number }[];
}

async function layersOf(name: string) {
  const file = await readOnnx(`${fixtures}${name}`);
  return findLayers(file, indexGraph(file.graph));
}

const models = {
  bottleneck: ['bottleneck.onnx', 'bottleneck.dynamo.onnx', 'bottleneck.external.onnx', 'bottleneck.folded.onnx'],
  depthwise: ['depthwise.onnx', 'depthwise.dynamo.onnx'],
  mlp: ['mlp.onnx', 'mlp.dynamo.onnx'],
  vit: ['vit.onnx', 'vit.dynamo.onnx', 'vit.folded.onnx'],
};

for (const [name, files] of Object.entries(models)) {
  const truth: Truth = JSON.parse(readFileSync(`${fixtures}${name}.json`, 'utf8'));
  for (const file of files) {
    // An optimising export folds BatchNorm into the convolution, which gains a bias that PyTorch's lacks.
    const folded = name === 'bottleneck' && /dynamo|folded/.test(file);
    const expected = truth.layers.map((layer) => ({
      name: layer.name,
      shape: layer.weight_shape,
      bias: layer.bias || (folded && layer.type === 'Conv2d'),
      groups: layer.groups,
    }));
    t.test(`${file} has PyTorch's layers, with its names and shapes`, async (t) => {
      const found = (await layersOf(file)).map((layer) => ({
        name: layer.name,
        shape: layer.weight.shape,
        bias: layer.bias !== null,
        groups: layer.groups,
      }));
      t.strictSame(found, expected);
    });
  }
}
