/** Sweeps on a card (a real one, or the emulated one of scripts/test-emulated.mjs) against the reference engine. */
import t from 'tap';
import type { Engine, EngineOptions } from '../src/engine.js';
import { openFastEngine } from '../src/fast.js';
import { openImages } from '../src/images/index.js';
import { loadModel } from '../src/model.js';
import { modelInput } from '../src/model-input.js';
import { type Comparison, native } from '../src/native.js';
import { planCells } from '../src/plan/cells.js';
import { openReferenceEngine } from '../src/reference.js';
import { parseReset } from '../src/reset-spec.js';
import { example } from './fixtures.js';

const { devices, reason } = native().cuda();
const skip = devices.length > 0 ? false : (reason ?? 'there is no card');

const IMAGES = 12;

/** Float32 sums in the order of other kernels: tens of times what two of the processor's differ by. */
const CLOSE = 1e-4;

t.test('on a card every reset gives the predictions of the reference engine', { skip }, async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const words = ['random', 'zero', 'constant=0.01', 'shuffle', 'noise=0.1'];
  const resets = await Promise.all(words.map(parseReset));
  const cells = planCells(model.layers, resets, 1);
  const set = await openImages(example('images.npz'), {
    ...modelInput(model),
    images: IMAGES,
    labels: 'none',
  });
  const { channels, height, width } = set.shape;
  const images = new Float32Array(IMAGES * channels * height * width);
  await set.read(0, IMAGES, images);
  await set.close();
  const labels = Int32Array.from({ length: IMAGES }, (_, i) => (7 * i) % 10);
  const chunk = { index: 0, count: IMAGES, images, height, width, labels };
  for (const norm of ['keep', 'reset'] as const) {
    const context = { seed: 3, init: 'auto', norm } as const;
    const evaluate = async (
      open: (m: typeof model, o: EngineOptions) => Promise<Engine>,
      cards?: readonly number[],
    ) => {
      const found = new Map<number, Comparison>();
      const engine = await open(model, {
        cells,
        context,
        size: { height, width },
        batch: 5,
        threads: 2,
        cards,
      });
      try {
        for (const part of [cells, cells.filter((_, i) => i % 3 === 1)]) {
          await engine.evaluate(chunk, part, {
            original: (comparison) => void found.set(-1, comparison),
            cell: (cell, comparison) => void found.set(cell.index, comparison),
          });
        }
      } finally {
        await engine.close();
      }
      return found;
    };
    const wanted = await evaluate(openReferenceEngine);
    const found = await evaluate(openFastEngine, [0]);
    t.equal(found.size, cells.length + 1);
    const wrong: string[] = [];
    for (const [index, expected] of wanted) {
      const got = found.get(index)!;
      const name = index < 0 ? 'the original' : `${cells[index]!.layer.name} ${cells[index]!.reset.label}`;
      if (got.agreement !== expected.agreement || got.invalid !== expected.invalid)
        wrong.push(`${name}: counts`);
      for (const column of ['cosine', 'l1', 'l2', 'kl', 'js', 'loss'] as const) {
        const worst = Math.max(
          ...expected[column]!.map((v, i) => Math.abs(v - got[column]![i]!) / Math.max(1, v)),
        );
        if (!(worst <= CLOSE)) wrong.push(`${name}: ${column} is off by ${worst}`);
      }
    }
    t.strictSame(wrong, [], `norm ${norm}`);
  }
});
