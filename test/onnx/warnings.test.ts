import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { type OnnxFile, readOnnx, writeOnnx } from '../../src/onnx/file.js';
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

t.test('folded BatchNorm is named, with what it changes and what to do for each exporter', async (t) => {
  const folded =
    /BatchNorm is folded into 8 of its 8 convolutions \(conv1, ...\), so a reset .* --init match/;
  const exporters = { folded: /TrainingMode\.PRESERVE, do_constant_folding=False/, dynamo: /optimize=False/ };
  for (const [kind, how] of Object.entries(exporters)) {
    const { warnings } = await loadModel(fixture(`bottleneck.${kind}.onnx`));
    t.match(warnings, [folded]);
    t.match(warnings, [how]);
  }
});

t.test('biases without a trace of folding are in doubt, unless they bear their own names', async (t) => {
  t.strictSame((await loadModel(fixture('depthwise.onnx'))).warnings, [], 'no BatchNorm by design');
  const renamed = await changed(t.testdir({}), 'depthwise.onnx', ({ graph }) => {
    const name = (tensor: string) => tensor.replace(/^(\w+)\.(weight|bias)$/, '$1_$2_of_another_exporter');
    for (const tensor of graph.initializer) tensor.name = name(tensor.name);
    for (const node of graph.node) node.input = node.input.map(name);
  });
  t.match(renamed.warnings, [/no BatchNorm\. If the export folded/]);
});

t.test('trained matrices that other operators use are named', async (t) => {
  const model = await changed(t.testdir({}), 'mlp.onnx', ({ graph }) => {
    const gemm = graph.node.findLast(({ opType }) => opType === 'Gemm');
    if (!gemm) throw new Error('the fixture has changed');
    Object.assign(gemm, { opType: 'FusedGemm', domain: 'com.microsoft', name: 'fused' });
  });
  t.match(model.warnings, [/1 operation\(s\).*left out: fused \(FusedGemm\)/]);
});

t.test('a convolution whose weight is computed from two is named', async (t) => {
  const model = await changed(t.testdir({}), 'bottleneck.onnx', ({ graph }) => {
    const conv = graph.node.find(({ opType }) => opType === 'Conv');
    const weight = graph.initializer.find(({ name }) => name === conv?.input[1]);
    if (!conv || !weight) throw new Error('the fixture has changed');
    graph.initializer.push({ ...weight, name: 'other' });
    graph.node.unshift(
      create(NodeSchema, { opType: 'Mul', input: [weight.name, 'other'], output: ['product'] }),
    );
    conv.input[1] = 'product';
  });
  t.match(model.warnings, [
    /1 operation\(s\) .* left out: \/conv1\/Conv \(Conv\); its weight is computed from more than one tensor/,
  ]);
  t.notOk(model.layers.some(({ name }) => name === 'conv1'));
});

t.test('an output that is a softmax is named, with what is compared', async (t) => {
  const model = await changed(t.testdir({}), 'mlp.onnx', ({ graph }) => {
    const last = graph.output[0]?.name ?? '';
    graph.node.push(create(NodeSchema, { opType: 'Softmax', input: [last], output: ['probabilities'] }));
    const [output] = graph.output;
    if (output) output.name = 'probabilities';
  });
  t.match(model.warnings, [
    /mlp\.onnx: its output probabilities is a softmax; what that is of, logits, is compared/,
  ]);
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
