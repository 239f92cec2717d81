import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { native } from '../../src/native/addon.js';
import type { ResetContext } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';
import { changeOf, movesOf, resetLayer } from '../../src/resets/reset.js';
import { example, fixture } from '../fixtures.js';

const context: ResetContext = { seed: 5, init: 'auto', norm: 'keep' };

t.test('how far draws move the weights is what the reset itself measures', async (t) => {
  for (const path of [example('resnet.onnx'), fixture('vit.onnx')]) {
    const model = await loadModel(path);
    for (const norm of ['keep', 'reset'] as const) {
      for (const words of ['random', 'shuffle', 'noise=0.3']) {
        const reset = await parseReset(words);
        const layer = model.layers[1]!;
        const moves = await movesOf(model, layer, reset, [0, 3, 9], { ...context, norm });
        const changes = moves.map((moved) => changeOf([moved]));
        for (const [i, draw] of [0, 3, 9].entries()) {
          const { change } = await resetLayer(model, layer, reset, draw, { ...context, norm });
          t.ok(Math.abs(changes[i]! - change!) < 1e-12 * change!, `${words} ${norm} ${draw}`);
        }
        t.equal(new Set(changes).size, 3);
      }
    }
  }
});

t.test('draws that change nothing are refused, but of noise that is none', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const layer = model.layers[0]!;
  const reset = (sigma: number) => ({ kind: 'noise', label: `noise=${sigma}`, sigma }) as const;
  await t.rejects(movesOf(model, layer, reset(1e-30), [0, 1], context), {
    code: 'ERR_RESET',
    message: /resetting conv1 with noise=1e-30 changes none of its weights/,
  });
  const still = await movesOf(model, layer, reset(0), [0, 1], context);
  t.strictSame(
    still.map((moved) => changeOf([moved])),
    [0, 0],
  );
});

t.test('the addon measures draws without writing them, and refuses what is none', async (t) => {
  const values = Float32Array.from({ length: 100 }, (_, i) => i / 100);
  const before = values.slice();
  const rule = { kind: 'normal', mean: 0, std: 1, key: 0n } as const;
  const distances = await native().drawDistances(values, rule, undefined, BigUint64Array.of(1n, 2n));
  t.strictSame(values, before);
  for (const [i, key] of [1n, 2n].entries()) {
    const drawn = values.slice();
    native().reset(drawn, { ...rule, key });
    t.equal(distances[i], native().norms(values, drawn).difference);
  }
  t.equal((await native().drawDistances(values, rule, undefined, new BigUint64Array())).length, 0);
  const refused = (error: string, ...args: unknown[]) =>
    t.rejects((native().drawDistances as (...all: unknown[]) => Promise<unknown>)(...args), { name: error });
  await refused('RangeError', values, { kind: 'constant', value: 1 }, undefined, BigUint64Array.of(1n));
  await refused('TypeError', values, rule, undefined, [1n]);
  await refused('TypeError', [], rule, undefined, BigUint64Array.of(1n));
});
