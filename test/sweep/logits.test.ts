/** Logits for scripts: what comes, in which order, and what becomes of a sweep whose receiver fails. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { LogitsPair, OnLogits } from '../../src/sweep/logits.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';
import { watched } from '../watched-images.js';

const model = await loadModel(example('resnet.onnx'));
const layers = ['conv1', 'layer3.0.conv1', 'fc'];

/** Three chunks of 256 images, and one of 32. */
async function run(onLogits: OnLogits | undefined, options: SweepOptions = {}, images = 800) {
  const set = await openImages(example('images.npz'), { ...modelInput(model), images });
  try {
    return await sweep(model, set, { layers, ...options, ...(onLogits && { onLogits }) });
  } finally {
    await set.close();
  }
}

const sliceOf = ({ layer, draw, from, to }: LogitsPair) => `${layer} ${draw} ${from}-${to}`;

t.test('pairs come one at a time, in order, and both engines make the same of them', async (t) => {
  const collected = async (options: SweepOptions) => {
    const pairs: LogitsPair[] = [];
    let underway = 0;
    await run(
      async (pair) => {
        t.equal(++underway, 1, 'one at a time');
        if (pairs.length % 50 === 0) await sleep(1);
        pairs.push(pair);
        underway--;
      },
      { imagesPerDraw: 64, ...options },
      300,
    );
    return pairs;
  };
  const fast = await collected({ threads: 3, batch: 24 });
  const spans = [0, 64, 128, 192, 256];
  t.strictSame(
    fast.map(sliceOf),
    [spans.slice(0, 4), [256]].flatMap((chunk) =>
      layers.flatMap((layer) =>
        chunk.map((from) => `${layer} ${from / 64} ${from}-${Math.min(300, from + 64)}`),
      ),
    ),
    'by chunk, layer and slice',
  );
  const slow = await collected({ engine: 'reference', layers: ['fc'] });
  for (const pair of slow) {
    const same = fast.find((one) => sliceOf(one) === sliceOf(pair))!;
    t.equal(same.original.length, (pair.to - pair.from) * 10);
    t.strictSame([...same.indices], [...pair.indices]);
    for (const side of ['original', 'changed'] as const) {
      const far = pair[side].map((value, i) => Math.abs(value - same[side][i]!));
      t.ok(Math.max(...far) < 1e-3, `${sliceOf(pair)} ${side}: ${Math.max(...far)}`);
    }
    t.ok(pair.changed.some((value, i) => Math.abs(value - pair.original[i]!) > 0.1));
  }
});

t.test('with several trials all slices of a chunk come under one, then under the next', async (t) => {
  for (const engine of ['fast', 'reference'] as const) {
    const pairs: LogitsPair[] = [];
    const options = { layers: ['fc'], imagesPerDraw: 8, trials: 2, threads: 2, engine };
    await run((pair) => void pairs.push(pair), options, 20);
    t.strictSame(
      pairs.map(({ draw, slice, from }) => [draw, slice, from]),
      [0, 1].flatMap((trial) => [0, 1, 2].map((slice) => [2 * slice + trial, slice, 8 * slice])),
      engine,
    );
  }
});

t.test('arrays belong to the receiver: what it does to them, or keeps, changes nothing', async (t) => {
  const out = join(t.testdir({}), 'run');
  const bytes = () => ['summary.json', 'cells.ndjson'].map((name) => readFileSync(join(out, name), 'utf8'));
  await run(undefined, { out });
  const expected = bytes();
  const kept: Float32Array[] = [];
  const first: number[] = [];
  await run(
    ({ original, changed }) => {
      first.push(changed[0]!);
      kept.push(changed);
      original.fill(Number.NaN);
    },
    { out, force: true },
  );
  t.strictSame(bytes(), expected);
  t.strictSame(
    kept.map(([value]) => value),
    first,
  );
  t.equal(kept.length, 300);
});

t.test('a slow receiver holds the sweep', async (t) => {
  let calls = 0;
  let read = 0;
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const set = await openImages(example('images.npz'), { ...modelInput(model), images: 1000 });
  const images = watched(set, (readThem, out) => {
    read += out.length / (28 * 28);
    return readThem();
  });
  const options: SweepOptions = { layers: ['fc'], threads: 1, trials: 1 };
  const ended = sweep(model, images, {
    ...options,
    onLogits: () => {
      calls++;
      return held;
    },
  });
  while (calls === 0) await sleep(5);
  await sleep(300);
  t.equal(calls, 1);
  t.ok(read > 0 && read < 1000, `${read} of 1000 images are read`);
  release();
  await ended;
  t.equal(calls, 4);
  await set.close();
});

t.test('what a receiver throws ends the sweep, which goes on where it was', async (t) => {
  const out = join(t.testdir({}), 'run');
  const whole = join(t.testdirName, 'whole');
  const all: string[] = [];
  await run((pair) => void all.push(sliceOf(pair)), { out: whole, imagesPerDraw: 32 });

  const received: string[] = [];
  const cause = new Error('no room\nfor it');
  const failing: OnLogits = async (pair) => {
    await sleep(0);
    if (pair.layer === 'fc' && pair.from === 256) throw cause;
    received.push(sliceOf(pair));
  };
  const error = await run(failing, { out, imagesPerDraw: 32, threads: 2 }).catch((thrown) => thrown);
  t.match(error, {
    code: 'ERR_OPTION',
    message: /^onLogits failed on fc, draw 8, images 256-287: no room.*for it$/,
    cause,
  });
  t.equal(received.length, 8 * 3 + 8 * 2, 'nothing is called after that');
  const lines = readFileSync(join(out, 'cells.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.strictSame(
    lines.filter(({ type }) => type === 'target').map(({ layer, chunk }) => `${layer} ${chunk}`),
    ['conv1 0', 'layer3.0.conv1 0', 'fc 0', 'conv1 1', 'layer3.0.conv1 1'],
    'what was received is finished',
  );

  const later: string[] = [];
  await run((pair) => void later.push(sliceOf(pair)), { out, imagesPerDraw: 32 });
  t.strictSame([...received, ...later], all, 'each was received once');
  const summary = (of: string) => readFileSync(join(of, 'summary.json'), 'utf8');
  t.equal(summary(out), summary(whole));
});

t.test('an abort does not wait for a receiver that never ends', async (t) => {
  const stop = new AbortController();
  const never = () => {
    stop.abort();
    return new Promise<void>(() => {});
  };
  await t.rejects(run(never, { signal: stop.signal }), { name: 'AbortError' });
  await t.rejects(run('no function' as never), { name: 'TypeError', message: 'onLogits must be a function' });
});
