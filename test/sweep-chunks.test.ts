/** How many chunks a sweep computes at once, and what becomes of the others when one fails. */
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { openImages } from '../src/images/index.js';
import { loadModel } from '../src/model.js';
import { modelInput } from '../src/model-input.js';
import { sweep } from '../src/sweep.js';
import { chunksAtOnce, withDefaults } from '../src/sweep-settings.js';
import { fixture } from './fixtures.js';
import { watched } from './watched-images.js';

const shape = { channels: 3, height: 224, width: 224 };

t.test('there are batches for every core or card, and one chunk that ends', async (t) => {
  const fast = { engine: 'fast', cards: undefined, threads: 2, chunk: 32, batch: 8 } as const;
  const expected = [
    [fast, 2],
    [{ ...fast, threads: 16 }, 5],
    [{ ...fast, threads: 8, batch: 32 }, 9],
    [{ ...fast, threads: 64, batch: 1 }, 3],
    [{ ...fast, threads: 64, cards: [0], batch: 32 }, 3],
    [{ ...fast, cards: [0, 1, 2], chunk: 128, batch: 128 }, 7],
    [{ ...fast, engine: 'reference', threads: 16 }, 1],
  ] as const;
  for (const [settings, atOnce] of expected) t.equal(chunksAtOnce(settings), atOnce);
});

t.test('no batch is larger than a chunk', async (t) => {
  const of = (batch?: number) => {
    const { batch: used, chunk } = withDefaults(batch === undefined ? {} : { batch }, { shape });
    return [used, chunk];
  };
  t.strictSame(of(), [8, 32]);
  t.strictSame(of(12), [12, 32]);
  t.strictSame(of(64), [32, 32]);
});

t.test('a failure ends a sweep at once, also while it waits for images', async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const set = await openImages('synthetic:1024', { ...modelInput(model), images: 'all' });
  t.teardown(() => set.close());
  let started = 0;
  let whole = 0;
  let told: () => void;
  const failure = new Promise<void>((resolve) => {
    told = resolve;
  });
  // Chunks of 256. All but the first come when that one has failed.
  const images = watched(set, async (read) => {
    if (started++ > 0) {
      await failure;
      await setTimeout(300);
    }
    await read();
    whole++;
  });
  const onProgress = ({ layer }: { layer: string }) => {
    if (!layer) return;
    told();
    throw new Error('nobody listens');
  };
  await t.rejects(sweep(model, images, { trials: 1, threads: 8, onProgress }), {
    message: 'nobody listens',
  });
  t.equal(whole, 1, 'nothing more is read');
});
