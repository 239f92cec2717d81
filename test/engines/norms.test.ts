/**
 * Norms as layers of their own, and fused queries, keys and values as three: both engines against PyTorch, which changed
 * the same modules (oracle/norms.py), and against each other under every other reset.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { chosenOf, groupLayers } from '../../src/design/groups.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { membersOf, type Resettable } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { storedValues, withTargets } from '../../src/model/targets.js';
import type { Comparison } from '../../src/native/addon.js';
import { isNormOp } from '../../src/onnx/norm-ops.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { compareLogits } from '../../src/resets/arrays.js';
import type { Reset } from '../../src/resets/kinds.js';
import { loadDonor, parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { apart, block, comparisonOf, NEAR } from '../comparison.js';
import { fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

interface Answers {
  logits: number[][];
  norms: Record<string, Record<'fresh' | 'zero' | 'donor' | 'quarter', number[][]>>;
  parts: Record<string, number[][]>;
  together: Record<string, { norm: string; logits: number[][] }>;
}

const context = { seed: 3, init: 'auto', norm: 'keep' } as const;
async function network(name: string) {
  const folder = name === 'kinds' ? 'norms' : 'cascades';
  const { data, shape } = readNpyFloats(fixture(`${folder}/images.npy`));
  const [count = 0, , height = 0, width = 0] = shape;
  const model = await loadModel(fixture(`${folder}/${name}.onnx`));
  const answers: Answers = JSON.parse(readFileSync(fixture(`norms/${name}.json`), 'utf8'));
  const donor = await loadDonor(fixture(`norms/${name}.safetensors`), model, {});
  const wanted = async (logits: readonly number[][]) => compareLogits(block(answers.logits), block(logits));
  const chunk = { index: 0, count, images: data, height, width, labels: undefined };
  /** What both engines give for these layers under these resets, by layer and reset. */
  const compute = async (
    swept: Model,
    layers: readonly Resettable[],
    resets: readonly Reset[],
    { norm = 'keep', ...more }: { norm?: 'keep' | 'reset'; graph?: 'model' } = {},
  ) => {
    const cells = planCells(layers, resets, 1);
    const size = { height, width };
    const options = { cells, context: { ...context, norm }, size, batch: 2, threads: 2, ...more };
    return Promise.all(
      [openFastEngine, openReferenceEngine].map(async (open) => {
        const engine = await open(swept, options);
        const found = new Map<string, Comparison>();
        await engine.evaluate(chunk, cells, {
          original() {},
          cell: ({ layer, reset }, rows) =>
            void found.set(`${layer.name} ${reset.label}`, comparisonOf(rows)),
        });
        await engine.close();
        return found;
      }),
    );
  };
  return { model, answers, donor, wanted, compute, size: { channels: 3, height, width } };
}

const mixed = (donor: Model, label: string, alpha: number): Reset => ({
  ...{ kind: 'interpolate', label, alpha, donor },
});

for (const name of ['resnet', 'vit', 'convnext', 'kinds']) {
  t.test(`${name}: norms are reset as PyTorch does it`, async (t) => {
    const { model, answers, donor, wanted, compute } = await network(name);
    const targets = withTargets(model, { include: 'norm' });
    t.equal(withTargets(model, { include: 'norm' }), targets, 'one object for one choice');
    const norms = targets.layers.filter(({ op }) => isNormOp(op));
    t.strictSame(
      norms.map((norm) => norm.name),
      Object.keys(answers.norms),
      'named and ordered as PyTorch calls them',
    );
    t.strictSame(
      targets.layers.filter(({ op }) => !isNormOp(op)),
      model.layers,
      'all other layers are what they were',
    );
    const resets: Reset[] = [
      { kind: 'random', label: 'fresh' },
      { kind: 'zero', label: 'zero' },
      mixed(donor, 'donor', 0),
      mixed(donor, 'quarter', 0.25),
      ...(await Promise.all(
        ['constant=0.5', 'shuffle', 'noise=0.3', 'prune=0.5', 'prune-channels=0.25'].map(parseReset),
      )),
    ];
    const [fast, reference] = await compute(targets, norms, resets);
    for (const [cell, found] of fast!) {
      const off = apart(found, reference!.get(cell)!);
      t.ok(off < NEAR, `${cell}: the engines are ${off} apart`);
      t.ok(Math.max(...found.l1) > 1e-3, `${cell} is seen`);
    }
    for (const [norm, logits] of Object.entries(answers.norms)) {
      for (const [label, truth] of Object.entries(logits)) {
        const off = apart(fast!.get(`${norm} ${label}`)!, await wanted(truth));
        t.ok(off < NEAR, `${norm} ${label}: ${off} from PyTorch`);
      }
    }
    // With other layers, of which some have these norms right behind them.
    const blocks =
      name === 'kinds' ? [{ name: 'all', members: targets.layers }] : groupLayers(targets.layers, 'block');
    const [together, plainly] = await compute(targets, blocks, resets.slice(0, 4));
    for (const [cell, found] of together!) {
      const off = apart(found, plainly!.get(cell)!);
      t.ok(off < NEAR, `${cell}: the engines are ${off} apart`);
    }
  });
}

for (const name of ['resnet', 'convnext', 'kinds']) {
  t.test(`${name}: a layer and the norm right behind it are reset as PyTorch does it`, async (t) => {
    const { model, answers, donor, wanted, compute } = await network(name);
    const targets = withTargets(model, { norm: 'with-layer' });
    const rows = chosenOf(targets.layers, {}, targets.behind);
    t.strictSame(
      rows.map((one) => one.name),
      model.layers.map((layer) => layer.name),
      'rows are called by their layers',
    );
    const pairs = rows.filter((one) => membersOf(one).length > 1);
    t.strictSame(
      pairs.map((one) => membersOf(one).map((member) => member.name)),
      Object.entries(answers.together).map(([layer, { norm }]) => [layer, norm]),
    );
    const random = { kind: 'random', label: 'random' } as const;
    const [fast, reference] = await compute(targets, rows, [mixed(donor, 'donor', 0), random]);
    for (const [cell, found] of fast!) {
      const off = apart(found, reference!.get(cell)!);
      t.ok(off < NEAR, `${cell}: the engines are ${off} apart`);
    }
    for (const [layer, { logits }] of Object.entries(answers.together)) {
      const off = apart(fast!.get(`${layer} donor`)!, await wanted(logits));
      t.ok(off < NEAR, `${layer}: ${off} from PyTorch`);
    }
    if (name !== 'resnet') return;
    const [fresh] = await compute(model, model.layers, [random], { norm: 'reset' });
    for (const [cell, found] of fresh!) {
      t.ok(apart(found, fast!.get(cell)!) < NEAR, `${cell}: BatchNorms are as fresh as with --norm reset`);
    }
    // A donor of other layers, whose norms are the model's own.
    const same = await loadDonor(fixture('cascades/resnet.donor.safetensors'), model, {});
    const [first] = pairs;
    const { moved } = await resetLayer(targets, membersOf(first!)[1]!, mixed(same, 'donor', 0), 0, context);
    t.equal(moved.difference, 0, 'a norm that goes along may stay as it is');
    await t.rejects(
      resetLayer(
        withTargets(model, { include: 'norm' }),
        withTargets(model, { include: 'norm' }).layers[1]!,
        mixed(same, 'donor', 0),
        0,
        context,
      ),
      /resetting bn1 with donor changes none of its weights/,
      'one of its own may not',
    );
  });
}

for (const name of ['vit', 'kinds']) {
  t.test(`${name}: queries, keys and values are reset as PyTorch does it`, async (t) => {
    const { model, answers, donor, wanted, compute, size } = await network(name);
    const targets = withTargets(model, { splitQkv: true });
    const parts = targets.layers.filter(({ whole }) => whole);
    t.strictSame(
      parts.map((part) => part.name),
      Object.keys(answers.parts),
    );
    const resets: Reset[] = [
      mixed(donor, 'donor', 0),
      { kind: 'random', label: 'random' },
      ...(await Promise.all(
        [
          'zero',
          'shuffle',
          'noise=0.3',
          'quantize=int4',
          'prune=0.5',
          'prune-channels=0.25',
          'lowrank=0.3',
        ].map(parseReset),
      )),
    ];
    for (const graph of ['runtime', 'model'] as const) {
      const [fast, reference] = await compute(targets, parts, resets, {
        ...(graph === 'model' && { graph }),
      });
      for (const [cell, found] of fast!) {
        const off = apart(found, reference!.get(cell)!);
        t.ok(off < NEAR, `${cell}: the engines are ${off} apart`);
        if (!/shuffle|random|zero/.test(cell)) continue;
        t.ok(Math.max(...found.l1) > 1e-4, `${cell} is seen`);
      }
      for (const [part, truth] of Object.entries(answers.parts)) {
        const off = apart(fast!.get(`${part} donor`)!, await wanted(truth));
        t.ok(off < NEAR, `${part}: ${off} from PyTorch`);
      }
    }
    const cells = planCells(parts, resets, 1);
    const { source, why } = await planSweep(targets, { cells, context, size, batch: 2 });
    t.ok(source.optimised, `ONNX Runtime's graph is the one that is cut: ${why}`);

    // Queries, keys and values together are the whole layer, bit for bit.
    const [first] = parts;
    const threes = parts.filter(({ whole }) => whole === first!.whole);
    const random = { kind: 'random', label: 'random' } as const;
    const whole = await resetLayer(model, first!.whole!, random, 7, context);
    const split = await resetLayer(targets, { name: 'all', members: threes }, random, 7, context);
    const stored = storedValues(targets, split.tensors);
    t.strictSame([...stored.keys()].sort(), [...whole.tensors.keys()].sort());
    for (const [tensor, values] of whole.tensors) t.same(stored.get(tensor), values, tensor);
    t.ok(Math.abs(split.change! - whole.change!) < 1e-12);
    const [together] = await compute(targets, [{ name: 'all', members: threes }], resets.slice(0, 2));
    const [alone] = await compute(model, [first!.whole!], resets.slice(0, 2));
    for (const label of ['donor', 'random']) {
      const off = apart(together!.get(`all ${label}`)!, alone!.get(`${first!.whole!.name} ${label}`)!);
      t.ok(off < NEAR, `${label}: ${off} from the whole layer`);
    }
  });
}

t.test('weights that are stored the other way round are split by their columns', async (t) => {
  const random = { kind: 'random', label: 'random' } as const;
  for (const name of ['vit.folded', 'vit.dynamo', 'vit']) {
    const model = await loadModel(fixture(`${name}.onnx`));
    const targets = withTargets(model, { splitQkv: true });
    const part = targets.layers.find((layer) => layer.name === 'blocks.0.attn.qkv.k')!;
    const whole = await resetLayer(model, part.whole!, random, 2, context);
    const one = storedValues(targets, (await resetLayer(targets, part, random, 2, context)).tensors);
    const { tensor, layout } = part.whole!.weight;
    const [own, drawn, found] = [model.values(tensor), whole.tensors.get(tensor)!, one.get(tensor)!];
    const channels = layout.channels;
    const channelOf = (i: number) => (layout.transposed ? i % channels : Math.floor(i / layout.inner));
    const wanted = own.map((value, i) =>
      Math.floor((3 * channelOf(i)) / channels) === 1 ? drawn[i]! : value,
    );
    t.same(found, wanted, `${name}: the rows of k, and no others`);
  }
});
