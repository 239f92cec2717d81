import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { loadModel } from '../../src/model.js';
import { type OnnxFile, readOnnx, writeOnnx } from '../../src/onnx/model.js';
import { NodeSchema, ValueInfoSchema } from '../../src/onnx/onnx_pb.js';
import { example, fixture } from '../fixtures.js';

/** The fixture with its graph changed, read again as a model. */
async function changed(dir: string, name: string, change: (file: OnnxFile) => void) {
  const file = await readOnnx(fixture(name));
  change(file);
  const path = join(dir, name);
  writeFileSync(path, writeOnnx(file));
  return loadModel(path);
}

t.test('a model that was exported as asked raises no doubt', async (t) => {
  t.strictSame((await loadModel(fixture('bottleneck.onnx'))).warnings, []);
  t.strictSame((await loadModel(fixture('vit.onnx'))).warnings, []);
  t.strictSame((await loadModel(example('resnet.onnx'))).warnings, []);
});

t.test('folded BatchNorm is named, with what to do', async (t) => {
  for (const name of ['bottleneck.folded.onnx', 'bottleneck.dynamo.onnx']) {
    t.match((await loadModel(fixture(name))).warnings, [/BatchNorm.*--init match/]);
  }
});

t.test('a convolution whose weight is computed is named', async (t) => {
  const model = await changed(t.testdir({}), 'bottleneck.onnx', ({ graph }) => {
    const conv = graph.node.find(({ opType }) => opType === 'Conv');
    const weight = conv?.input[1] ?? '';
    graph.node.unshift(create(NodeSchema, { opType: 'Mul', input: [weight, weight], output: ['squared'] }));
    if (conv) conv.input[1] = 'squared';
  });
  t.match(model.warnings, [/1 convolution\(s\).*conv1/]);
  t.notOk(model.layers.some(({ name }) => name === 'conv1'));
});

t.test('an output that is a softmax is named', async (t) => {
  const model = await changed(t.testdir({}), 'mlp.onnx', ({ graph }) => {
    const last = graph.output[0]?.name ?? '';
    graph.node.push(create(NodeSchema, { opType: 'Softmax', input: [last], output: ['probabilities'] }));
    const [output] = graph.output;
    if (output) output.name = 'probabilities';
  });
  t.match(model.warnings, [/softmax, not logits/]);
});

t.test('of several flat outputs the logits are the one that most layers lead to', async (t) => {
  const model = await changed(t.testdir({}), 'bottleneck.onnx', ({ graph }) => {
    const features = graph.node.find(({ opType }) => opType === 'Flatten')?.output[0] ?? '';
    const logits = graph.output[0];
    if (!logits) return;
    graph.output = [create(ValueInfoSchema, { ...logits, name: features }), logits];
  });
  t.equal(model.io.output, 'logits');
});
