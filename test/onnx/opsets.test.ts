/** The same small network in every version of ONNX that is read, on both engines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import t from 'tap';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { fixture } from '../fixtures.js';
import { checkExport } from './exported.js';

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
