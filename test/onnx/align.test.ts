import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import t from 'tap';
import { readOnnx } from '../../src/onnx/file.js';
import { ModelSchema, TensorSchema } from '../../src/onnx/onnx_pb.js';
import { fixture } from '../fixtures.js';

/** A model with tensors of 4 to 400 bytes at every distance from an address that 4 divides. */
function oddlyPlaced(): Uint8Array {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('mlp.onnx')));
  for (let i = 0; i < 100; i++) {
    const rawData = Uint8Array.from({ length: 4 * (i + 1) }, (_, at) => i + at);
    const name = `odd ${'x'.repeat(i % 4)}${i}`;
    proto.graph?.initializer.push(
      create(TensorSchema, { name, dims: [BigInt(i + 1)], dataType: 1, rawData }),
    );
  }
  return toBinary(ModelSchema, proto);
}

t.test('tensors are moved to where floats may lie, and hold what the file says', async (t) => {
  const path = join(t.testdir({}), 'odd.onnx');
  const bytes = oddlyPlaced();
  writeFileSync(path, bytes);
  const plain = fromBinary(ModelSchema, bytes).graph?.initializer ?? [];
  t.strictSame(new Set(plain.map(({ rawData }) => rawData.byteOffset % 4)), new Set([0, 1, 2, 3]));
  const { graph, sha256 } = await readOnnx(path);
  t.equal(graph.initializer.length, plain.length);
  for (const [i, { name, rawData }] of graph.initializer.entries()) {
    t.strictSame(Buffer.from(rawData), Buffer.from(plain[i]?.rawData ?? []), name);
    if (rawData.byteLength >= 128) t.equal(rawData.byteOffset % 4, 0, name);
  }
  t.equal(sha256, createHash('sha256').update(bytes).digest('hex'), 'the hash is that of the file');
});
