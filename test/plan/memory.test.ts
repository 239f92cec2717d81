import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { fittingThreads, heldBytes } from '../../src/plan/memory.js';
import { example } from '../fixtures.js';

t.test('threads are as many as there is room for, and at least one', async (t) => {
  const held = { fixed: 500, perThread: 100 };
  t.equal(fittingThreads(held, 10_000, 8), 8);
  t.equal(fittingThreads(held, 1300, 8), 8);
  t.equal(fittingThreads(held, 1299, 8), 7);
  t.equal(fittingThreads(held, 700, 8), 2);
  t.equal(fittingThreads(held, 600, 8), 1);
  t.equal(fittingThreads(held, 100, 8), 1, 'it is tried all the same');
  t.equal(fittingThreads({ fixed: 500, perThread: 0 }, 100, 8), 8);
});

t.test('weights count as read and as the runtime has them, tensors once for each thread', async (t) => {
  const { file } = await loadModel(example('resnet.onnx'));
  const [none, some] = [heldBytes(file, 0), heldBytes(file, 1e6)];
  t.equal(none.perThread, 0);
  t.equal(some.perThread, 2e6);
  t.equal(none.fixed, some.fixed);
  // 140,446 parameters and what BatchNorm has measured, four bytes each, twice.
  const weights = none.fixed - 150 * 2 ** 20;
  t.ok(weights > 8 * 140_446 && weights < 8 * 145_000, `${weights}`);
});
