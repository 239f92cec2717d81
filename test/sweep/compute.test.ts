/** How many chunks a sweep computes at once, and what becomes of the others when one fails. */
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Chunk } from '../../src/engines/chunk.js';
import type { ResultSink } from '../../src/engines/engine.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { Finished, type JournalLine } from '../../src/run/finished.js';
import type { Work } from '../../src/sweep/compute.js';
import { computeChunks } from '../../src/sweep/compute.js';
import { ProgressCount } from '../../src/sweep/progress.js';
import { chunksAtOnce, withDefaults } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { rowsOf } from '../comparison.js';
import { fixture } from '../fixtures.js';
import { watched } from '../watched-images.js';

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
    const { batch: used, chunk } = withDefaults({ trials: 1, ...(batch && { batch }) }, { shape });
    return [used, chunk];
  };
  t.strictSame(of(), [8, 32]);
  t.strictSame(of(12), [12, 32]);
  t.strictSame(of(64), [32, 32]);
});

t.test('a batch lies in one slice, and slices in one chunk where they fit', async (t) => {
  const of = (imagesPerDraw: number, batch: number) => {
    const { batch: used, chunk } = withDefaults({ imagesPerDraw, batch }, { shape });
    return [used, chunk];
  };
  t.strictSame(of(8, 64), [8, 32]);
  t.strictSame(of(8, 3), [3, 32]);
  t.strictSame(of(5, 8), [5, 30]);
  t.strictSame(of(100, 8), [8, 32]);
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
  const onLogits = () => {
    told();
    throw new Error('nobody listens');
  };
  await t.rejects(sweep(model, images, { trials: 1, threads: 8, onLogits }), {
    message: 'nobody listens',
  });
  t.equal(whole, 1, 'nothing more is read');
});

/** Two chunks at once of an engine that has done the second when the first is still under way. */
function secondFirst(signal?: AbortSignal) {
  const lines: number[] = [];
  const chunks = [0, 1].map((index) => ({ index, count: 1 }) as Chunk);
  const rows = rowsOf(1, (name) => (name === 'invalid' ? 1 : 0));
  const finished = new Finished();
  let finishFirst = (_?: Error) => {};
  const first = new Promise<void>((resolve, reject) => {
    finishFirst = (error) => (error ? reject(error) : resolve());
  });
  const evaluate = async ({ index }: Chunk, _: unknown, sink: ResultSink) => {
    if (index === 0) await first;
    await sink.original(rows);
  };
  const images = { count: 2, warnings: [] };
  const work = {
    subject: {
      model: { file: { path: 'm.onnx' } },
      images,
      settings: { chunk: 1, design: { imagesPerDraw: 'all', trials: 1 } },
    },
    record: {
      finished,
      stopping: null,
      tell() {},
      warn() {},
      add: async (line: JournalLine) => {
        lines.push(line.chunk);
        finished.add(line);
      },
      flush: async () => {},
    },
    engine: { evaluate },
    todo: chunks.map(({ index }) => ({ index, images: 1, targets: [] })),
    ahead: { next: async () => chunks.shift() ?? null, release() {} },
    atOnce: 2,
    progress: new ProgressCount([], 2, undefined),
  };
  const running = computeChunks(work as unknown as Work, signal);
  return { running, lines, finishFirst };
}

t.test('a chunk that is done early waits for the one before it', async (t) => {
  const { running, lines, finishFirst } = secondFirst();
  await setTimeout(20);
  t.strictSame(lines, []);
  finishFirst();
  await running;
  t.strictSame(lines, [0, 1]);
});

t.test('a chunk that waits is given up with an abort, or when the one before it fails', async (t) => {
  const controller = new AbortController();
  const aborted = secondFirst(controller.signal);
  await setTimeout(20);
  controller.abort(new Error('enough'));
  aborted.finishFirst();
  await t.rejects(aborted.running, { message: 'enough' });
  t.notOk(aborted.lines.includes(1));
  const failed = secondFirst();
  await setTimeout(20);
  failed.finishFirst(new Error('the card is gone'));
  await t.rejects(failed.running, { message: 'the card is gone' });
  t.strictSame(failed.lines, []);
});
