import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession } from 'onnxruntime-node';
import t from 'tap';
import { resnet } from '../../src/architectures/resnet.js';
import { writeModel } from '../../src/onnx/encode.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';

t.test('a model with large tensors is the same model when it is read', async (t) => {
  const proto = fromBinary(ModelSchema, resnet({ size: 32, blocks: [1, 1, 1, 1], classes: 300 }));
  const path = join(t.testdir({}), 'written.onnx');
  const file = await open(path, 'wx');
  await writeModel(file, proto);
  await file.close();
  const bytes = readFileSync(path);
  const again = fromBinary(ModelSchema, bytes);
  const byName = (of: typeof proto) =>
    new Map(
      of.graph?.initializer.map((tensor) => [tensor.name, Buffer.from(tensor.rawData).toString('base64')]),
    );
  t.strictSame([...byName(again)].sort(), [...byName(proto)].sort());
  t.strictSame(
    again.graph?.node.map(({ name }) => name),
    proto.graph?.node.map(({ name }) => name),
  );
  t.ok(Math.abs(bytes.length - toBinary(ModelSchema, proto).length) < 1000);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  t.strictSame(session.outputNames, ['logits'], 'ONNX Runtime reads it too');
  await session.release();
});
