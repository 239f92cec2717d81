/** Graphs of more nodes than anybody has trained are planned in time that grows with their nodes. */
import { join } from 'node:path';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { loadModel } from '../../src/model/load.js';
import type { Node } from '../../src/onnx/onnx_pb.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { node, value, weight, writeGraph } from '../onnx/graphs.js';

const folder = t.testdir({});

async function planOf(middle: (from: string, i: number) => Node[], count: number, graph?: 'model') {
  const path = join(folder, 'large.onnx');
  const nodes = [node('Conv', ['x', 'w'], 't0', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })];
  while (nodes.length < count) nodes.push(...middle(nodes.at(-1)!.output[0]!, nodes.length));
  const last = nodes.at(-1)!.output[0]!;
  nodes.push(
    node('GlobalAveragePool', [last], 'p'),
    node('Flatten', ['p'], 'f'),
    node('Gemm', ['f', 'g'], 'y'),
  );
  writeGraph(path, {
    node: nodes,
    input: [value('x', [null, 3, 8, 6])],
    output: [value('y', [null, 10])],
    initializer: [weight('w', [4, 3, 3, 3]), weight('g', [4, 10])],
  });
  const began = process.cpuUsage();
  const model = await loadModel(path);
  const plan = await planSweep(model, {
    cells: planCells(model.layers, [{ kind: 'zero', label: 'zero' }], 1),
    context: { seed: 0, init: 'auto', norm: 'keep' },
    size: { channels: 3, height: 8, width: 6 },
    batch: 2,
    ...(graph && { graph }),
  });
  return { plan, seconds: process.cpuUsage(began).user / 1e6 };
}

t.test('shapes are found in pieces of a graph, each from those before', async (t) => {
  const turned = (from: string, i: number) => [
    i % 2 ? node('Transpose', [from], `t${i}`, { perm: [0, 1, 3, 2] }) : node('Sigmoid', [from], `t${i}`),
  ];
  const { plan } = await planOf(turned, 12_001, 'model');
  const wrong = Array.from({ length: 12_000 }, (_, i) => i).filter((i) => {
    const isTurned = Math.ceil(i / 2) % 2 === 1;
    return `${plan.shapes.get(`t${i}`)?.dims}` !== (isTurned ? '2,4,6,8' : '2,4,8,6');
  });
  t.strictSame(wrong, []);
  t.strictSame(plan.shapes.get('y')?.dims, [2, 10]);
});

// The optimiser, which folds what is computed of shapes, took more than 6 minutes, and shapes of 100,000 outputs 87 s.
t.test('100,000 nodes take seconds', async (t) => {
  const shaped = (from: string, i: number) => [
    node('Shape', [from], `s${i}`),
    node('Reshape', [from, `s${i}`], `t${i}`),
  ];
  const { plan, seconds } = await planOf(shaped, 100_000);
  t.match(plan.why, /it has 100,00\d nodes/);
  t.strictSame(plan.shapes.get('t99999')?.dims, [2, 4, 8, 6]);
  t.ok(seconds < 40, `${seconds} s`);
  t.comment(`${seconds} s`);
});
