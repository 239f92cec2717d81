/** The same small network in every version of ONNX that is read, on both engines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { loadModel } from '../../src/model/load.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { fixture } from '../fixtures.js';
import { checkExport } from './exported.js';
import { longs, node, value, weight, writeGraph } from './graphs.js';

/**
 * Opsets 9 to 24: none of them changed what this network's operators (Constant, Conv, BatchNormalization, Relu,
 * GlobalAveragePool, Flatten, MatMul, Add) compute in the form that it has them. With the IR version of that time:
 * before 4, weights are inputs too.
 */
const versions = Array.from({ length: 16 }, (_, i) => [9 + i, Math.min(10, 3 + (i >> 1))] as const);

t.test('opset 9 to 24 give the same layers and logits', async (t) => {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('exports/paddle.onnx')));
  const truth = JSON.parse(readFileSync(fixture('exports/paddle.json'), 'utf8'));
  const layers = truth.layers.map(([name, shape, bias]: [string, number[], boolean]) => ({
    name,
    shape,
    bias,
    groups: 1,
  }));
  const dir = t.testdir({});
  writeFileSync(join(dir, 'net.npy'), readFileSync(fixture('exports/images.npy')));
  writeFileSync(join(dir, 'net.json'), JSON.stringify({ layers, logits: truth.logits, donor: {} }));
  for (const [opset, ir] of versions) {
    proto.irVersion = BigInt(ir);
    proto.opsetImport = proto.opsetImport.map((one) => ({ ...one, version: BigInt(opset) }));
    writeFileSync(join(dir, `net.${opset}.onnx`), toBinary(ModelSchema, proto));
    const { problems } = await checkExport(dir, 'net', String(opset));
    t.strictSame(problems, [], `opset ${opset}, IR ${ir}`);
  }
});

t.test('CNTK: IR version 3, a weight behind a Reshape whose shape only it reads', async (t) => {
  const path = join(t.testdir({}), 'cntk.onnx');
  const stored = [
    weight('Parameter5', [8, 1, 5, 5]),
    weight('Parameter6', [8, 1, 1]),
    weight('Parameter193', [8, 4, 4, 10]),
    longs('Parameter193_reshape1_shape', [128, 10]),
    longs('flat_shape', [1, 128]),
  ];
  writeGraph(
    path,
    {
      node: [
        node('Reshape', ['Parameter193', 'Parameter193_reshape1_shape'], 'Parameter193_reshape1'),
        node('Conv', ['images', 'Parameter5'], 'c'),
        node('Add', ['c', 'Parameter6'], 'p'),
        node('Reshape', ['p', 'flat_shape'], 'f'),
        node('MatMul', ['f', 'Parameter193_reshape1'], 'logits'),
      ],
      initializer: stored,
      input: [
        value('images', [1, 1, 8, 8]),
        ...stored.map(({ name, dims }) => value(name, dims.map(Number), name.endsWith('shape') ? 7 : 1)),
      ],
      output: [value('logits', [1, 10])],
    },
    { ir: 3, opset: 8 },
  );
  const model = await loadModel(path);
  t.strictSame(
    model.layers.map(({ weight, bias }) => [weight.shape, bias !== null]),
    [
      [[8, 1, 5, 5], true],
      [[10, 128], false],
    ],
  );
  const plan = await planSweep(model, {
    cells: planCells(model.layers, [{ kind: 'random', label: 'random' }], 1),
    context: { seed: 0, init: 'auto', norm: 'keep' },
    size: { channels: 1, height: 8, width: 8 },
    batch: 1,
  });
  t.equal(plan.why, null, "the runtime's graph is cut");
});

t.test("opsets before the runtime's first are refused, with the way out", async (t) => {
  const path = join(t.testdir({}), 'old.onnx');
  const one = { node: [node('Conv', ['x', 'w'], 'y')], initializer: [weight('w', [2, 3, 1, 1])] };
  writeGraph(path, { ...one, input: [value('x', [1, 3, 1, 1])] }, { ir: 3, opset: 6 });
  await t.rejects(loadModel(path), {
    code: 'ERR_MODEL',
    message: /old\.onnx: its operators are those of opset 6.*of 7 and later.*convert_version/,
  });
});
