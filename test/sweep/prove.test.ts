import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { loadModel } from '../../src/model/load.js';
import { modelOf } from '../../src/model/model.js';
import { replaceTensors } from '../../src/onnx/file.js';
import { parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { proveCells } from '../../src/sweep/prove.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const context = { seed: 0, init: 'auto', norm: 'reset' } as const;

t.test(
  'cells come in their order, with the change that each makes alone, whatever the threads',
  async (t) => {
    const resets = await Promise.all(['random', 'shuffle', 'noise=0.1'].map(parseReset));
    const cells = planCells(model.layers, resets, 3);
    for (const threads of [1, 4]) {
      const proven = await proveCells(model, cells, { ...context, threads });
      t.strictSame(
        proven.map(({ change: _, ...cell }) => cell),
        cells,
      );
      for (const { layer, reset, trial, change } of proven) {
        t.equal(change, (await resetLayer(model, layer, reset, trial, context)).change);
      }
    }
  },
);

t.test('the first cell in order whose reset changes nothing is named', async (t) => {
  const donor = await parseReset(`donor=${fixture('bottleneck.onnx')}`);
  const [first] = model.layers;
  const cells = planCells(model.layers, [donor], 1);
  await t.rejects(proveCells(model, cells, { ...context, norm: 'keep', threads: 4 }), {
    code: 'ERR_RESET',
    message: `resetting ${first?.name} with`,
  });
});

t.test('an abort ends it with its reason', async (t) => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const cells = planCells(model.layers, [await parseReset('shuffle')], 50);
  const proving = proveCells(model, cells, { ...context, threads: 2 }, controller.signal);
  controller.abort(reason);
  await t.rejects(proving, reason);
});

t.test('weights that are not finite are refused by their tensor', async (t) => {
  const [first] = model.layers;
  const { weight, norm } = first!;
  const cells = (of: typeof model) => planCells(of.layers, [{ kind: 'random', label: 'random' }], 1);
  const withOne = (tensor: string, value: number) => {
    const values = model.values(tensor).slice();
    values[2] = value;
    const graph = replaceTensors(model.file, new Map([[tensor, values]]));
    return modelOf({ ...model.file, graph, proto: { ...model.file.proto, graph } });
  };
  for (const [tensor, value, message] of [
    [weight.tensor, Number.NaN, `the tensor ${weight.tensor} holds NaN at element 2`],
    [norm!.scale, Number.NEGATIVE_INFINITY, `the tensor ${norm!.scale} holds -Infinity at element 2`],
    [norm!.variance, -1, `the tensor ${norm!.variance} has negative variances`],
  ] as const) {
    const broken = withOne(tensor, value);
    await t.rejects(proveCells(broken, cells(broken), { ...context, threads: 1 }), {
      code: 'ERR_MODEL',
      message: new RegExp(`bottleneck\\.onnx: ${message}, so the model predicts nothing`),
    });
  }
});
