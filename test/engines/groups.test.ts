/**
 * Layers that are reset together, on a ResNet, a vision transformer and a ConvNeXt: both engines against PyTorch, which
 * loaded the same modules from the donor (oracle/cascades.py), against each other, and against single resets one after
 * the other.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { chosenOf, groupLayers } from '../../src/design/groups.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { membersOf, type Resettable } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Comparison } from '../../src/native/addon.js';
import { compareLogits } from '../../src/resets/arrays.js';
import type { Reset } from '../../src/resets/kinds.js';
import { loadDonor } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { apart, block, comparisonOf, NEAR } from '../comparison.js';
import { fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

interface Together {
  layers: string[];
  logits: number[][];
}
type Answers = Record<'fromOutput' | 'fromInput' | 'pairs', Together[]> & {
  layers: string[];
  logits: number[][];
  donor: number[][];
  /** Of all layers, and of the last. */
  parts: Record<'weight' | 'bias', Together[]>;
};

const { data, shape } = readNpyFloats(fixture('cascades/images.npy'));
const [count = 0, , height = 0, width = 0] = shape;
const chunk = { index: 0, count, images: data, height, width, labels: undefined };
const context = { seed: 3, init: 'auto', norm: 'keep' } as const;
for (const name of ['resnet', 'vit', 'convnext']) {
  t.test(`${name}: groups of layers are reset as PyTorch does it`, async (t) => {
    const model = await loadModel(fixture(`cascades/${name}.onnx`));
    const answers: Answers = JSON.parse(readFileSync(fixture(`cascades/${name}.json`), 'utf8'));
    const donor = await loadDonor(fixture(`cascades/${name}.donor.safetensors`), model, {});
    const resets: Reset[] = [
      { kind: 'interpolate', label: 'donor', alpha: 0, donor },
      { kind: 'random', label: 'random' },
    ];
    const { layers } = model;
    t.strictSame(
      layers.map((layer) => layer.name),
      answers.layers,
    );
    const fromOutput = groupLayers(layers, 'cumulative-from-output');
    const fromInput = groupLayers(layers, 'cumulative-from-input');
    const pairs = groupLayers(layers, 'pairs').slice(0, layers.length - 1);
    // A layer alone ends one cascade and begins the other, too.
    const named = (groups: readonly Resettable[], end: string) =>
      groups.map((one) => ({ name: `${end} ${one.name}`, members: membersOf(one) }));
    const groups = [
      ...named(fromOutput, 'out'),
      ...named(fromInput, 'in'),
      ...pairs,
      ...groupLayers(layers, 'block'),
      ...groupLayers(layers, 'all'),
    ];
    const truths = [...answers.fromOutput, ...answers.fromInput, ...answers.pairs];
    t.strictSame(
      groups.slice(0, truths.length).map((one) => membersOf(one).map((layer) => layer.name)),
      truths.map((truth) => truth.layers),
      'PyTorch reset the same layers',
    );

    const cells = planCells(groups, resets, 1);
    const evaluate = async (open: typeof openFastEngine) => {
      const engine = await open(model, { cells, context, size: { height, width }, batch: 2, threads: 2 });
      const found = new Map<number, Comparison>();
      await engine.evaluate(chunk, cells, {
        original() {},
        cell: (cell, rows) => void found.set(cell.index, comparisonOf(rows)),
      });
      await engine.close();
      return (index: number) => found.get(index)!;
    };
    const [fast, reference] = [await evaluate(openFastEngine), await evaluate(openReferenceEngine)];
    for (const { index, layer, reset } of cells) {
      const off = apart(fast(index), reference(index));
      t.ok(off < NEAR, `${layer.name} ${reset.label}: the engines are ${off} apart`);
      t.ok(Math.max(...fast(index).l1) > 0.01, 'and it is seen');
    }
    const wanted = async (logits: readonly number[][]) => compareLogits(block(answers.logits), block(logits));
    for (const [i, truth] of truths.entries()) {
      const off = apart(fast(i * resets.length), await wanted(truth.logits));
      t.ok(off < NEAR, `${groups[i]!.name}: ${off} from PyTorch`);
    }
    const fresh = await wanted(answers.donor);
    const lasts = [fromOutput.length - 1, fromOutput.length + fromInput.length - 1, groups.length - 1];
    for (const last of lasts) {
      t.ok(
        apart(fast(last * resets.length), fresh) < NEAR,
        'the last step, and all at once, are the fresh model',
      );
    }

    // One more layer at each step, with the very weights that it has when it is reset alone.
    for (const [reset, label] of resets.map((reset) => [reset, reset.label] as const)) {
      const changed = new Map<string, Float32Array>();
      for (const [i, layer] of [...layers].reverse().entries()) {
        for (const one of (await resetLayer(model, layer, reset, 0, context)).tensors) changed.set(...one);
        const { tensors } = await resetLayer(model, fromOutput[i]!, reset, 0, context);
        t.equal(tensors.size, changed.size, `${label} ${i}`);
        t.ok([...tensors].every(([tensor, values]) => bits(values).equals(bits(changed.get(tensor)!))));
      }
    }
  });
}

for (const name of ['resnet', 'vit', 'convnext']) {
  t.test(`${name}: weights alone and biases alone are reset as PyTorch does it`, async (t) => {
    const model = await loadModel(fixture(`cascades/${name}.onnx`));
    const answers: Answers = JSON.parse(readFileSync(fixture(`cascades/${name}.json`), 'utf8'));
    const donor = await loadDonor(fixture(`cascades/${name}.donor.safetensors`), model, {});
    const reset: Reset = { kind: 'interpolate', label: 'donor', alpha: 0, donor };
    for (const parts of ['weight', 'bias'] as const) {
      const cascade = chosenOf(model.layers, { group: 'cumulative-from-output', parts });
      const cells = planCells(
        [cascade.at(-1)!, cascade[0]!],
        [reset, { kind: 'random', label: 'random' }],
        1,
      );
      const options = {
        cells,
        context: { ...context, parts },
        size: { height, width },
        batch: 2,
        threads: 2,
      };
      const found: Map<number, Comparison>[] = [];
      for (const open of [openFastEngine, openReferenceEngine]) {
        const engine = await open(model, options);
        const rows = new Map<number, Comparison>();
        await engine.evaluate(chunk, cells, {
          original() {},
          cell: (cell, one) => void rows.set(cell.index, comparisonOf(one)),
        });
        await engine.close();
        found.push(rows);
      }
      const [fast, reference] = found as [Map<number, Comparison>, Map<number, Comparison>];
      for (const { index, layer } of cells) {
        t.ok(
          apart(fast.get(index)!, reference.get(index)!) < NEAR,
          `${parts} of ${layer.name}: the engines agree`,
        );
        t.ok(Math.max(...fast.get(index)!.l1) > 1e-3, 'and it is seen');
      }
      for (const [i, truth] of answers.parts[parts].entries()) {
        const wanted = await compareLogits(block(answers.logits), block(truth.logits));
        t.ok(apart(fast.get(2 * i)!, wanted) < NEAR, `${parts} ${i}: as PyTorch`);
      }
    }
  });
}

const bits = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
