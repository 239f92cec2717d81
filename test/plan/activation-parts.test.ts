/** Plans in which tensors are replaced, however the graph is cut, against the whole model with another graph. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { furthest } from '../../src/engines/check.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { rewired } from '../../src/onnx/rewire.js';
import type { Cut } from '../../src/plan/cuts.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { Activations } from '../../src/resets/activation.js';
import type { Reset } from '../../src/resets/kinds.js';
import { chooseTargets } from '../../src/sweep/targets.js';
import { fixture } from '../fixtures.js';
import { interpret } from './interpreter.js';

const BATCH = 2;
const resets: Reset[] = [
  { kind: 'skip', label: 'skip' },
  { kind: 'mean', label: 'mean' },
];
const all = (candidates: readonly Cut[]) => [...candidates];
const none = (candidates: readonly Cut[]) => [candidates[0]!, candidates.at(-1)!];

for (const [name, group] of [
  ['bottleneck', 'layer'],
  ['bottleneck', 'cumulative-from-output'],
  ['vit.folded', 'layer'],
  ['depthwise', 'cumulative-from-input'],
] as const) {
  t.test(
    `${name}.onnx, by ${group}: whatever the cuts, what is replaced is what all later steps read`,
    async (t) => {
      const model = await loadModel(fixture(`${name}.onnx`));
      const { shape } = modelInput(model);
      const targets = await chooseTargets(model, shape, { group, resets, design: { trials: 1 } });
      const activations = new Activations();
      for (const [cell, one] of targets.replacements) {
        const channels = one.dims[one.axis]!;
        const mean =
          one.source === null ? Float32Array.from({ length: channels }, (_, c) => Math.sin(c + 1)) : null;
        activations.add(cell, { ...one, mean, change: null });
      }
      const context = { seed: 0, init: 'auto', norm: 'keep', activations } as const;
      const dims = [BATCH, shape.channels, shape.height, shape.width];
      const images = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.7 * i));
      const wanted: Float32Array[] = [];
      for (const cell of targets.cells) {
        const bytes = writeOnnx(rewired(model.file, activations.of(cell)));
        const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
        const result = await session.run({ [model.io.input]: new Tensor('float32', images, dims) });
        wanted.push(result[model.io.output]!.data as Float32Array);
        await session.release();
      }
      t.ok(targets.cells.length > 3);
      for (const [cuts, choose] of Object.entries({ all, none, own: undefined })) {
        const plan = await planSweep(model, {
          ...{ cells: targets.cells, context, size: shape, batch: BATCH },
          ...(choose && { choose }),
        });
        const { cells } = await interpret(plan, images);
        for (const { index, layer, reset } of targets.cells) {
          const found = { logits: cells[index]!, classes: wanted[index]!.length / BATCH };
          const { distance } = furthest(found, wanted[index]!);
          t.ok(distance < 1e-4, `${layer.name} ${reset.label}, ${cuts}: ${distance}`);
        }
      }
    },
  );
}
