/** Standardised weights with a gain: a donor brings its own along, every other reset leaves it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor as Values } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import type { Node } from '../../src/onnx/onnx_pb.js';
import { withFloats } from '../../src/onnx/tensors.js';
import { parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { close, enginesAgree } from './engines-agree.js';
import { node, value, weight, writeGraph } from './graphs.js';

const wave = (name: string, dims: number[], phase: number, offset = 0) => {
  const tensor = weight(name, dims);
  const count = dims.reduce((product, size) => product * size, 1);
  return withFloats(
    tensor,
    Float32Array.from({ length: count }, (_, i) => offset + Math.sin(3 * i + phase)),
  );
};
const images = wave('x', [3, 3, 8, 8], 0.5);
const pixels = new Float32Array(Uint8Array.from(images.rawData).buffer);

/** What becomes of `weight`: its mean taken out, times a gain. */
const standardised = (weight: string, gain: string, made: string): Node[] => [
  node('ReduceMean', [weight], `${made}.mean`, { axes: [1, 2, 3], keepdims: 1 }),
  node('Sub', [weight, `${made}.mean`], `${made}.centred`),
  node('Mul', [`${made}.centred`, gain], made),
];

/** Two convolutions and a Linear. @param phases of weight and gain of each, which are their values */
function write(
  t: Test,
  name: string,
  phases: [number, number, number, number],
  { gains = ['a.gain', 'b.gain'], doubled = false } = {},
): string {
  const [a = '', b = ''] = gains;
  const path = join(t.testdirName, name);
  mkdirSync(t.testdirName, { recursive: true });
  const scaled = doubled ? [node('Add', [a, a], 'twice')] : [];
  const [first, second] = doubled ? ['twice', 'twice'] : [a, b];
  writeGraph(path, {
    node: [
      ...scaled,
      ...standardised('a.weight', first, 'va'),
      ...standardised('b.weight', second, 'vb'),
      node('Conv', ['x', 'va'], 'ya', { kernel_shape: [3, 3] }),
      node('Relu', ['ya'], 'ra'),
      node('Conv', ['ra', 'vb'], 'yb', { kernel_shape: [3, 3] }),
      node('GlobalAveragePool', ['yb'], 'mean'),
      node('Flatten', ['mean'], 'flat'),
      node('Gemm', ['flat', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      wave('a.weight', [4, 3, 3, 3], phases[0]),
      wave('b.weight', [4, 4, 3, 3], phases[2]),
      wave(a, [4, 1, 1, 1], phases[1], 2),
      ...(a === b ? [] : [wave(b, [4, 1, 1, 1], phases[3], 2)]),
      wave('fc.weight', [5, 4], 1),
    ],
    input: [value('x', [null, 3, 8, 8])],
    output: [value('logits', [null, 5])],
  });
  return path;
}

async function run(bytes: Uint8Array | string): Promise<Float32Array> {
  const session = await InferenceSession.create(bytes as string, { graphOptimizationLevel: 'disabled' });
  const { logits } = await session.run({ x: new Values('float32', pixels, [3, 3, 8, 8]) });
  await session.release();
  return logits?.data as Float32Array;
}

const context = { seed: 0, init: 'auto', norm: 'keep' } as const;

t.test('a donor brings the gain of a layer along with its weight', async (t) => {
  const model = await loadModel(write(t, 'own.onnx', [1, 2, 3, 4]));
  const donor = write(t, 'donor.onnx', [5, 6, 7, 8]);
  t.strictSame(
    model.layers.map(({ name, gains }) => [name, gains?.map(({ tensor }) => tensor)]),
    [
      ['a', ['a.gain']],
      ['b', ['b.gain']],
      ['fc', undefined],
    ],
  );
  const reset = await parseReset(`donor=${donor}`);
  for (const [layer, phases] of [
    [model.layers[0]!, [5, 6, 3, 4]],
    [model.layers[1]!, [1, 2, 7, 8]],
  ] as const) {
    const { tensors } = await resetLayer(model, layer, reset, 0, context);
    const expected = await run(write(t, 'mixed.onnx', [...phases]));
    close(t, [...(await run(writeOnnx(model.file, tensors)))], [...expected], `the donor's ${layer.name}`);
  }
  const random = await resetLayer(model, model.layers[0]!, await parseReset('random'), 0, context);
  t.strictSame([...random.tensors.keys()], ['a.weight'], 'fresh weights are standardised with the own gain');
  const shared = model.layers.slice(0, 2);
  const words = [`donor=${donor}`, `interpolate=${donor}@0.5`, 'random'];
  await enginesAgree(t, { ...model, layers: shared }, pixels, undefined, words);
});

t.test('a gain that an export stored once for two layers cannot be taken by one', async (t) => {
  const donor = write(t, 'donor.onnx', [5, 6, 7, 8]);
  const once = await loadModel(write(t, 'once.onnx', [1, 2, 3, 2], { gains: ['a.gain', 'a.gain'] }));
  const refusal = {
    code: 'ERR_RESET',
    message: /donor\.onnx does not fit a: the model's gain is stored once/,
  };
  const into = async (model: Model, path: string) =>
    resetLayer(model, model.layers[0]!, await parseReset(`donor=${path}`), 0, context);
  await t.rejects(into(once, donor), refusal);
  const doubled = write(t, 'doubled.onnx', [5, 6, 7, 6], { doubled: true });
  const joined = await loadModel(write(t, 'joined.onnx', [1, 2, 3, 2], { doubled: true }));
  await t.rejects(into(joined, doubled), {
    ...refusal,
    message: /doubled\.onnx does not fit a: the model's gain/,
  });
  // A donor's may be: it is only read.
  const own = await loadModel(write(t, 'own.onnx', [1, 2, 3, 4]));
  const fresh = write(t, 'fresh.onnx', [5, 6, 7, 6], { gains: ['a.gain', 'a.gain'] });
  const { tensors } = await into(own, fresh);
  const expected = await run(write(t, 'mixed.onnx', [5, 6, 3, 4]));
  close(t, [...(await run(writeOnnx(own.file, tensors)))], [...expected], 'a fresh donor');
  await t.rejects(into(own, doubled), {
    ...refusal,
    message: /does not fit a: its weight is computed in another way/,
  });
});
