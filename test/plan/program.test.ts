import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { planCells } from '../../src/design/cells.js';
import { groupLayers } from '../../src/design/groups.js';
import type { Resettable } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import type { Cut } from '../../src/plan/cuts.js';
import { cardLimits } from '../../src/plan/limits.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import type { Reset, ResetContext } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { example, fixture } from '../fixtures.js';
import { interpret } from './interpreter.js';
import { randomModel, uniforms } from './random-graph.js';

const RANDOM_GRAPHS = 40;
const random: Reset = { kind: 'random', label: 'random' };
const context: ResetContext = { seed: 0, init: 'auto', norm: 'keep' };

interface Case {
  /** What is reset together; default every layer alone. */
  group?: (model: Model) => readonly Resettable[];
  resets?: readonly Reset[];
  context?: ResetContext;
  budget?: number;
  batch?: number;
  graph?: 'runtime' | 'model';
  /** With so many shared sessions, as on a card. */
  sessions?: number;
  /** Of a batch; where tensors cannot be divided so it has one. */
  slices?: number;
  choose?: (candidates: readonly Cut[]) => Cut[];
}

const TRIALS = 2;

/**
 * Every cell's logits by the plan equal those of the whole model with patched weights.
 * @returns how many slices a batch has
 */
async function checkPlan(t: Test, model: Model, options: Case = {}): Promise<number> {
  const { resets = [random], batch = 3 } = options;
  const settings = options.context ?? context;
  const size = { height: model.io.height ?? 32, width: model.io.width ?? 32 };
  const { channels } = model.io;
  const images = Float32Array.from({ length: batch * channels * size.height * size.width }, (_, i) =>
    Math.sin(1.7 * i + Math.cos(i)),
  );
  const cells = planCells(options.group?.(model) ?? model.layers, resets, TRIALS);
  const compiled = await planSweep(model, {
    cells,
    context: settings,
    size: { ...size, channels },
    batch,
    ...(options.graph && { graph: options.graph }),
    ...(options.sessions !== undefined && { limits: { ...cardLimits, sessions: options.sessions } }),
    ...(options.budget !== undefined && { budget: options.budget }),
    ...(options.choose && { choose: options.choose }),
    slices: options.slices,
  });
  const { slices = 1 } = compiled.program;
  if (options.sessions !== undefined && !options.choose)
    // One segment is always allowed, which has a session for the batch and one for a slice.
    t.ok(
      compiled.sessions.length <= Math.max(options.sessions, slices > 1 ? 2 : 1),
      `${compiled.sessions.length} sessions`,
    );
  const found = await interpret(compiled, images, false, 0, TRIALS);
  const whole = async (patch?: Map<string, Float32Array>) => {
    const session = await InferenceSession.create(writeOnnx(model.file, patch), { logSeverityLevel: 3 });
    const dims = [batch, channels, size.height, size.width];
    const result = await session.run({ [model.io.input]: new Tensor('float32', images, dims) });
    await session.release();
    return result[model.io.output]?.data as Float32Array;
  };
  t.ok(near(found.original, await whole(), batch), 'the original');
  const rows = batch / slices;
  for (const cell of cells) {
    const logits = found.cells[cell.index]!;
    const ofRow = logits.length / batch;
    for (let slice = 0; slice < slices; slice++) {
      const draw = slice * TRIALS + cell.trial;
      const { tensors } = await resetLayer(model, cell.layer, cell.reset, draw, settings);
      const own = (all: Float32Array) => all.slice(slice * rows * ofRow, (slice + 1) * rows * ofRow);
      const expected = await whole(tensors);
      t.equal(logits.length, expected.length);
      t.ok(near(own(logits), own(expected), rows), `${cell.layer.name} ${cell.reset.label} ${draw}`);
    }
  }
  return slices;
}

/** Invariant: within 1e-3 of the row's largest magnitude; in fact float32 rounding is all there is. */
function near(found: Float32Array, expected: Float32Array, rows: number): boolean {
  const classes = expected.length / rows;
  if (found.length !== expected.length) return false;
  for (let row = 0; row < rows; row++) {
    const own = expected.subarray(row * classes, (row + 1) * classes);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [i, value] of own.entries()) {
      if (!(Math.abs((found[row * classes + i] ?? Number.NaN) - value) <= 1e-4 * largest + 1e-7))
        return false;
    }
  }
  return true;
}

for (const name of [
  'bottleneck',
  'bottleneck.folded',
  'bottleneck.dynamo',
  'depthwise',
  'mlp',
  'tied',
  'tied.dynamo',
  'vit',
  'vit.folded',
  'vit.dynamo-plain',
]) {
  t.test(`the plan of ${name}.onnx computes what the whole model computes`, async (t) => {
    const model = await loadModel(fixture(`${name}.onnx`));
    await t.test('with the cuts that it chooses', (t) => checkPlan(t, model));
    await t.test('with as many cuts as there can be', (t) => checkPlan(t, model, { budget: 0 }));
    await t.test("on the model's own graph", (t) => checkPlan(t, model, { graph: 'model' }));
    await t.test("on the model's own graph, with as many cuts as there can be", (t) =>
      checkPlan(t, model, { graph: 'model', budget: 0 }),
    );
    for (const sessions of [12, 2])
      await t.test(`with ${sessions} shared sessions at most`, (t) => checkPlan(t, model, { sessions }));
  });
}

t.test("the plan of the demo's model computes what the whole model computes", async (t) => {
  await checkPlan(t, await loadModel(example('resnet.onnx')), { budget: 0 });
});

t.test('every kind of reset means the same in a plan as on the whole model', async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const donor = fixture('bottleneck-donor.onnx');
  const forms = [
    'random',
    'zero',
    'constant=0.1',
    'shuffle',
    'noise=0.3',
    `donor=${donor}`,
    `interpolate=${donor}@0.4`,
    `interpolate=${donor}@1`,
    'quantize=int4',
    'prune=0.5',
    'prune-channels=0.5',
    'lowrank=0.5',
  ];
  const resets = await Promise.all(forms.map(parseReset));
  await checkPlan(t, model, { resets });
  await checkPlan(t, model, { resets, graph: 'model' });
  await checkPlan(t, model, { resets, sessions: 4 });
  t.equal(await checkPlan(t, model, { resets, sessions: 4, batch: 8, slices: 2 }), 2);
});

t.test('BatchNorm reset with its convolution, and drawing to match, mean the same too', async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const fresh = { ...context, norm: 'reset' } as const;
  await t.test('--norm reset', (t) => checkPlan(t, model, { context: fresh }));
  await t.test("--norm reset on the model's own graph", (t) =>
    checkPlan(t, model, { context: fresh, graph: 'model' }),
  );
  await t.test('--norm reset with shared sessions', (t) =>
    checkPlan(t, model, { context: fresh, sessions: 4 }),
  );
  await t.test('--init match', (t) => checkPlan(t, model, { context: { ...context, init: 'match' } }));
});

for (const [name, group] of [
  ['bottleneck', 'layer(\\d).(\\d+)'],
  ['bottleneck', 'cumulative-from-output'],
  ['bottleneck', 'cumulative-from-input'],
  ['tied', 'pairs'],
  ['vit', 'cumulative-from-output'],
] as const) {
  t.test(`the plan of ${name}.onnx computes groups (${group}) as the whole model does`, async (t) => {
    const model = await loadModel(fixture(`${name}.onnx`));
    const groups = {
      group: ({ layers }: Model) => groupLayers(group === 'pairs' ? layers.slice(0, 4) : layers, group),
    };
    await t.test('with the cuts that it chooses', (t) => checkPlan(t, model, groups));
    await t.test("on the model's own graph, with as many cuts as there can be, norms reset too", (t) =>
      checkPlan(t, model, { ...groups, graph: 'model', budget: 0, context: { ...context, norm: 'reset' } }),
    );
    await t.test('with shared sessions, norms reset too', (t) =>
      checkPlan(t, model, { ...groups, sessions: 4, context: { ...context, norm: 'reset' } }),
    );
  });
}

t.test('random graphs with random cuts compute what the whole model computes', async (t) => {
  const dir = t.testdir({});
  let shared = 0;
  for (let seed = 1; seed <= RANDOM_GRAPHS; seed++) {
    await t.test(`seed ${seed}`, async (t) => {
      const path = join(dir, `${seed}.onnx`);
      writeFileSync(path, randomModel(seed));
      const random = uniforms(seed);
      const choose = (candidates: readonly Cut[]) =>
        candidates.filter((_, i) => i === 0 || i === candidates.length - 1 || random() < 0.5);
      const model = await loadModel(path);
      await checkPlan(t, model, { choose, batch: 2 });
      await checkPlan(t, model, { choose, batch: 2, graph: 'model' });
      const group = ({ layers }: Model) => {
        const members = layers.filter(() => random() < 0.5);
        return members.length > 1 ? [{ name: 'some', members }] : layers.slice(0, 1);
      };
      await checkPlan(t, model, { choose, batch: 2, group });
      await checkPlan(t, model, { choose, batch: 2, group, graph: 'model' });
      const sessions = 1 + Math.floor(4 * random());
      await checkPlan(t, model, { sessions, batch: 2 });
      await checkPlan(t, model, { sessions, choose, batch: 2, group });
      const several = await checkPlan(t, model, { sessions, batch: 8, slices: 2 });
      const ofGroup = await checkPlan(t, model, { sessions, choose, batch: 8, slices: 2, group });
      shared += several + ofGroup - 2;
    });
  }
  t.ok(shared > RANDOM_GRAPHS, `${shared} plans have several slices in a batch`);
});
