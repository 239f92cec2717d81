/** Where layers and groups begin and end in graphs of several exporters and architectures. */
import t from 'tap';
import { groupLayers } from '../../src/design/groups.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { ownGraph } from '../../src/plan/base-graph.js';
import { dataflowOf } from '../../src/plan/dataflow.js';
import { shapesOf } from '../../src/plan/shapes.js';
import { Spans } from '../../src/plan/spans.js';
import { fixture } from '../fixtures.js';

/** By name, what a reset replaces, as `output <- source`, or why not. */
async function found(file: string, group: string) {
  const model = await loadModel(fixture(file));
  const source = ownGraph(model, 'keep');
  const flow = dataflowOf(source.graph, model.io.input, model.io.output);
  const shapes = await shapesOf(source, flow, modelInput(model).shape, 1);
  const spans = new Spans(flow, shapes, model.io.output, model.layers);
  const words = (name: string, kind: 'skip' | 'mean') => {
    const one = groupLayers(model.layers, group).find((layer) => layer.name === name)!;
    const there = spans.replacementOf(one, kind);
    if (typeof there === 'string') return there;
    const { output, source: from, dims, axis } = there;
    return `${output} <- ${from ?? `${dims[axis]} means`}`;
  };
  return words;
}

t.test('a block ends with its sum, whatever the exporter writes besides', async (t) => {
  // The newer exporter, not optimised: biases of zeros that ask for the sizes of weights and the type of an image.
  const block = await found('bottleneck.dynamo-plain.onnx', 'block');
  t.equal(block('layer1.0', 'skip'), 'add_85 <- getitem_12', 'the shortcut has its projection and norm');
  t.equal(block('layer1.1', 'skip'), 'add_151 <- relu_3', 'the shortcut is the input');
  t.equal(block('layer1.1', 'mean'), 'relu_6 <- 16 means', 'of what the last activation gives');
  const layer = await found('bottleneck.dynamo-plain.onnx', 'layer');
  t.equal(layer('layer1.1.conv2', 'skip'), 'conv2d_6 <- relu_4');
  t.equal(layer('fc', 'skip'), 'its input and output have different shapes');
});

t.test('a block without a sum ends with its norm and activation', async (t) => {
  const block = await found('trained/efficientnet.onnx', 'block');
  t.match(block('blocks.1.0', 'mean'), /^\/blocks\/blocks\.1\/blocks\.1\.0\/bn3\/\S+ <- 16 means$/);
  t.match(block('blocks.1.1', 'skip'), /blocks\.1\.1\/Add_output_0 <- \S+blocks\.1\.0\/bn3\//);
});

t.test('a part of a block gives what it adds', async (t) => {
  const part = await found('trained/vit.onnx', '^blocks\\.\\d+\\.(?:attn|mlp)');
  t.match(part('blocks.1.attn', 'mean'), /attn\/proj\/Add_output_0 <- /);
  t.match(part('blocks.1.attn', 'skip'), /blocks\.1\/Add_output_0 <- \S*blocks\.0\/Add_1_output_0$/);
});

t.test('what has no place of its own is told with the reason', async (t) => {
  const dense = await found('trained/densenet.onnx', 'block');
  t.match(dense('features.denseblock1.denselayer1', 'skip'), /another branch leads past it/);
  const part = await found('bottleneck.dynamo-plain.onnx', '^(layer1\\.1)\\.conv[12]');
  t.match(part('layer1.1', 'skip'), /another branch leads past it, and past layers that are not in it/);
  const ends = await found('bottleneck.dynamo-plain.onnx', '^(layer1\\.1)\\.conv[13]');
  t.match(ends('layer1.1', 'skip'), /layers that are not in it lie between/);
  const cell = await found('exports/recurrent.folded.onnx', 'layer');
  t.equal(cell('lstm.ih_l0', 'mean'), 'it is a part of a recurrent cell');
});
