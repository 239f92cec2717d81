/**
 * Files of single images and of classes, against the logits that a script gets of the same sweep: whatever the design, and
 * the same bytes however the sweep was computed.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { native } from '../../src/native/addon.js';
import { parseReset } from '../../src/resets/parse.js';
import { writeDetails } from '../../src/run/details.js';
import { openRun, readInfo } from '../../src/run/run.js';
import type { LogitsPair } from '../../src/sweep/logits.js';
import { mergeRuns } from '../../src/sweep/merge.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

const model = await loadModel(example('resnet.onnx'));
const layers = ['conv1', 'layer3.0.conv1', 'fc'];
const everything = ['cosine', 'l1', 'l2', 'kl', 'js', 'agreement', 'top1', 'top5', 'loss'] as const;

/** Two chunks of 256 and 44 images, but for other counts. */
async function run(out: string, options: SweepOptions = {}, images = 300) {
  const set = await openImages(example('images.npz'), { ...modelInput(model), images });
  try {
    return await sweep(model, set, { out, layers, ...options });
  } finally {
    await set.close();
  }
}

const filesIn = (directory: string) =>
  readdirSync(join(directory, 'per-image'), { recursive: true })
    .map(String)
    .filter((name) => /\.(npy|csv)$/.test(name))
    .sort();
/** By name: the files of images, the table of classes. */
const bytesOf = (directory: string) =>
  Object.fromEntries(
    [
      ...filesIn(directory).map((name) => join('per-image', name)),
      'per-class.csv',
      'images.csv',
      'summary.json',
    ].map((name) => [name, readFileSync(join(directory, name)).toString('latin1')]),
  );
const rowsOf = (path: string) => {
  const [head = '', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const names = head.split(',');
  return lines.map((line) => {
    const fields = line.split(',');
    return Object.fromEntries(names.map((name, i) => [name, fields[i] ?? '']));
  });
};
const single = (value: number) => Math.fround(value);

for (const [design, options, draws, count] of [
  ['slices', { perImage: everything }, 1, 300],
  ['slices with two draws', { perImage: ['agreement', 'cosine'], imagesPerDraw: 6, trials: 2 }, 2, 50],
  ['crossed draws', { perImage: ['js'], trials: 2 }, 2, 270],
  ['means of crossed draws', { perImage: ['cosine', 'loss'], perImageMean: true, trials: 3 }, 3, 50],
  ['the reference engine', { perImage: ['cosine'], engine: 'reference', trials: 1 }, 1, 50],
] as [string, SweepOptions, number, number][]) {
  t.test(`every image has its number: ${design}`, async (t) => {
    const out = join(t.testdir({}), 'run');
    const pairs: LogitsPair[] = [];
    const resets = [await parseReset('random'), await parseReset('zero')];
    const few = layers.slice(0, 2);
    const asked = { ...options, layers: few, resets, perClass: true };
    const { summary } = await run(out, { ...asked, onLogits: (pair) => void pairs.push(pair) }, count);
    const { labels } = labelsIn(out);
    // Again from the logits: layer, reset, then draw of the image.
    const wanted = new Map<string, Float64Array[]>();
    for (const { layer, reset, draw, slice, from, to, classes, original, changed, ...pair } of pairs) {
      t.strictSame([...pair.labels!], labels.slice(from, to), 'the labels are those of images.csv');
      const found = native().compare(original, changed, classes, Int32Array.from(labels.slice(from, to)));
      const trial = reset === 'zero' ? 0 : draw - slice * draws;
      for (const metric of options.perImage ?? []) {
        const values = metric === 'agreement' ? found.agree : found[metric];
        const key = `${layer} ${reset} ${metric}`;
        const rows = wanted.get(key) ?? [];
        wanted.set(key, rows);
        rows[trial] ??= new Float64Array(count).fill(Number.NaN);
        rows[trial].set(Float64Array.from(values!), from);
      }
    }
    const index = rowsOf(join(out, 'per-image', 'index.csv'));
    t.equal(index.length, few.length * 2 * (options.perImage?.length ?? 0));
    t.strictSame(filesIn(out), ['index.csv', ...index.map(({ file }) => file!)].sort());
    for (const { layer, reset, metric, file, draws: rowCount, images, stopped_at: stopped } of index) {
      const { data, shape } = readNpyFloats(join(out, 'per-image', file!));
      const rows = wanted.get(`${layer} ${reset} ${metric}`)!;
      const isMean = options.perImageMean === true;
      const expected = isMean
        ? [rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)]
        : rows;
      t.strictSame(shape, isMean ? [count] : [reset === 'zero' ? 1 : draws, count]);
      t.strictSame([rowCount, images, stopped], [isMean ? '' : String(rows.length), String(count), '']);
      t.strictSame(
        [...data],
        expected.flatMap((row) => [...row].map(single)),
        `${layer} ${reset} ${metric}`,
      );
      if (metric !== 'cosine') continue;
      const { mean } = summary.layers.find((one) => one.layer === layer && one.reset === reset)!.criticality;
      const own = 100 * (1 - data.reduce((sum, value) => sum + value, 0) / data.length);
      t.ok(Math.abs(own - mean!) < 1e-4, `${own} is the criticality ${mean}`);
    }
    checkClasses(t, out, pairs, labels);
  });
}

function labelsIn(out: string) {
  return { labels: rowsOf(join(out, 'images.csv')).map(({ label }) => Number(label)) };
}

/** The table of classes from the logits themselves. */
function checkClasses(t: Test, out: string, pairs: readonly LogitsPair[], labels: readonly number[]) {
  const top = (row: Float32Array) => row.indexOf(Math.max(...row));
  const rows = rowsOf(join(out, 'per-class.csv'));
  const classes = [...new Set(labels)].sort((a, b) => a - b);
  const targets = [...new Set(pairs.map(({ layer, reset }) => `${layer} ${reset}`))];
  t.strictSame(
    rows.map((row) => `${row.layer} ${row.reset} ${row.class}`),
    targets.flatMap((target) => classes.map((label) => `${target} ${label}`)),
  );
  for (const row of rows) {
    const counts = { passes: 0, agree: 0, before: 0, after: 0 };
    for (const pair of pairs.filter(({ layer, reset }) => layer === row.layer && reset === row.reset)) {
      for (let i = 0; i < pair.to - pair.from; i++) {
        if (pair.labels![i] !== Number(row.class)) continue;
        const [before, after] = [pair.original, pair.changed].map((logits) =>
          top(logits.subarray(i * pair.classes, (i + 1) * pair.classes)),
        );
        counts.passes++;
        if (before === after) counts.agree++;
        if (before === Number(row.class)) counts.before++;
        if (after === Number(row.class)) counts.after++;
      }
    }
    const share = (count: number) => String((100 * count) / counts.passes);
    t.match(row, {
      images: String(labels.filter((label) => label === Number(row.class)).length),
      passes: String(counts.passes),
      invalid: '0',
      agreement: share(counts.agree),
      top1_before: share(counts.before),
      top1: share(counts.after),
    });
  }
}

t.test('the bytes are the same for any threads, and after a stop, a torn line and by shards', async (t) => {
  const dir = t.testdir({});
  const at = (name: string) => join(dir, name);
  const options: SweepOptions = { perImage: ['cosine', 'top1'], perClass: true };
  await run(at('one'), { ...options, threads: 1 });
  const expected = bytesOf(at('one'));
  t.equal(Object.keys(expected).length, 2 * layers.length + 4);

  const stop = new AbortController();
  const onProgress = () => stop.abort();
  await t.rejects(run(at('stopped'), { ...options, signal: stop.signal, onProgress }), {
    name: 'AbortError',
  });
  const half = readNpyFloats(join(at('stopped'), 'per-image', 'cosine', '2-fc.npy')).data;
  t.ok(half.some(Number.isNaN), 'what was not computed is NaN');
  const journal = join(at('stopped'), 'cells.ndjson');
  const [line = ''] = readFileSync(journal, 'utf8').split('\n');
  rmSync(join(at('stopped'), 'per-image'), { recursive: true });
  appendFileSync(journal, line.slice(0, line.length / 2));
  await run(at('stopped'), { ...options, threads: 2 });
  t.strictSame(bytesOf(at('stopped')), expected, 'stopped and torn');

  const shards = [1, 2, 3].map((index) => at(`shard-${index}`));
  for (const [i, out] of shards.entries()) await run(out, { ...options, shard: { index: i + 1, of: 3 } });
  t.notOk(existsSync(join(shards[0]!, 'per-image')), 'a part has no results');
  await mergeRuns([...shards, at('one')].reverse(), at('merged'));
  t.strictSame(bytesOf(at('merged')), expected, 'shards');

  // Read once for every layer, as where numbers of all would take too much memory.
  const { summary } = JSON.parse(`{"summary":${expected['summary.json']}}`);
  const info = await readInfo(at('one'));
  rmSync(join(at('one'), 'per-image'), { recursive: true });
  rmSync(join(at('one'), 'per-class.csv'));
  const opened = await openRun(at('one'), info);
  await writeDetails(opened, { identity: info, summary, chunk: info.plan!.chunk, classNames: null }, 1);
  await opened.close();
  t.strictSame(bytesOf(at('one')), expected, 'a layer at a time');

  await t.rejects(run(at('one'), { ...options, perImage: ['cosine'] }), {
    code: 'ERR_RUN',
    message: /perImage \["cosine", "top1"\], now \["cosine"\]/,
  });
});

t.test('a batch of another size changes no number by more than its last bits', async (t) => {
  const dir = t.testdir({});
  const numbers = async (batch: number) => {
    const out = join(dir, String(batch));
    await run(out, { perImage: ['js'], imagesPerDraw: 16, batch }, 64);
    return filesIn(out)
      .filter((name) => name.endsWith('.npy'))
      .flatMap((name) => [...readNpyFloats(join(out, 'per-image', name)).data]);
  };
  const [one, other] = [await numbers(16), await numbers(5)];
  const far = one.map((value, i) => Math.abs(value - other[i]!));
  t.ok(Math.max(...far) < 1e-5, `${Math.max(...far)}`);
});

t.test('images that a layer was not asked for any more are NaN, whatever was computed at once', async (t) => {
  const dir = t.testdir({});
  const options: SweepOptions = { tolerance: 12, perImage: ['cosine'], perClass: true };
  const results = await Promise.all(
    [1, 3].map((threads) => run(join(dir, `${threads}`), { ...options, threads }, 1000)),
  );
  t.strictSame(bytesOf(join(dir, '3')), bytesOf(join(dir, '1')));
  const index = rowsOf(join(dir, '1', 'per-image', 'index.csv'));
  for (const [i, { layer, stoppedAt, images }] of results[0]!.summary.layers.entries()) {
    t.ok(stoppedAt !== null && stoppedAt < 1000, `${layer} has stopped`);
    const { data } = readNpyFloats(join(dir, '1', 'per-image', index[i]!.file!));
    t.equal(index[i]!.stopped_at, String(stoppedAt));
    t.ok(data.subarray(0, stoppedAt!).every((value) => value >= 0 && value <= 1 + 1e-6));
    t.ok(data.subarray(stoppedAt!).every(Number.isNaN));
    const classes = rowsOf(join(dir, '1', 'per-class.csv')).filter((row) => row.layer === layer);
    t.equal(
      classes.reduce((sum, row) => sum + Number(row.images), 0),
      images,
      'classes count the same images',
    );
  }
});

t.test('what cannot be written is refused before anything is computed', async (t) => {
  const out = join(t.testdir({}), 'run');
  const unlabelled = await openImages('synthetic:4', { ...modelInput(model), images: 4 });
  t.teardown(() => unlabelled.close());
  for (const options of [{ perClass: true }, { perImage: ['loss'] }] satisfies SweepOptions[]) {
    await t.rejects(sweep(model, unlabelled, { out, ...options }), {
      code: 'ERR_OPTION',
      message: /^--per-(class|image loss) needs labels, and synthetic:4 has none; give --labels$/,
    });
  }
  t.notOk(existsSync(out));
  await t.rejects(sweep(model, unlabelled, { perImage: ['cosine'] }), {
    code: 'ERR_OPTION',
    message: /perImage writes files into the run's directory; give out/,
  });
  await t.rejects(sweep(model, unlabelled, { out, perImageMean: true }), {
    code: 'ERR_OPTION',
    message: /--per-image-mean needs --per-image/,
  });
  await t.rejects(sweep(model, unlabelled, { out, perImage: ['cosinus' as never] }), {
    code: 'ERR_OPTION',
    message: /perImage must be a list of metrics: cosine, l1/,
  });
});
