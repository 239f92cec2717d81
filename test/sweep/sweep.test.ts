import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { type ImageSet, openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { readOnnx, writeOnnx } from '../../src/onnx/file.js';
import { parseReset } from '../../src/resets/parse.js';
import { readRun } from '../../src/run/read-run.js';
import type { Progress } from '../../src/sweep/progress.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { type SweepResult, sweep } from '../../src/sweep/sweep.js';
import { example, fixture } from '../fixtures.js';
import { reseal } from '../run/resealed.js';

const bottleneck = await loadModel(fixture('bottleneck.onnx'));
const fashion = await loadModel(example('resnet.onnx'));

/** Small sweeps: 3 x 32 x 32 noise has 16 to 256 images a chunk, so 300 images make two. */
async function sweepOf(model: Model, source: string, images: number, options: SweepOptions) {
  const set = await openImages(source, { ...modelInput(model), images });
  try {
    return await sweep(model, set, options);
  } finally {
    await set.close();
  }
}

const noise = (options: SweepOptions, images = 300) =>
  sweepOf(bottleneck, `synthetic:${images}`, images, options);

t.test('a sweep gives every layer its numbers and writes a run', async (t) => {
  const out = join(t.testdir({}), 'run');
  const { summary, draws } = await noise({ out, trials: 2 });
  t.strictSame(
    summary.layers.map(({ layer }) => layer),
    bottleneck.layers.map(({ name }) => name),
  );
  for (const layer of summary.layers) {
    t.equal(layer.images, 300);
    t.equal(layer.draws, 2);
    t.equal(layer.passes, 600);
    t.equal(layer.criticality.interval, 'crossed');
    t.ok((layer.change ?? 0) > 0);
    const { mean, low, high } = layer.criticality;
    t.ok(
      low !== null &&
        mean !== null &&
        high !== null &&
        low <= mean &&
        mean <= high &&
        low >= 0 &&
        high <= 100,
    );
  }
  t.equal(summary.baseline, null, 'no labels, no accuracy');
  t.strictSame(readdirSync(out).sort(), [
    'cells.ndjson',
    'draws.csv',
    'images.csv',
    'results.csv',
    'run.json',
    'summary.csv',
    'summary.json',
  ]);
  const run = await readRun(out);
  t.equal(run.info.status, 'done');
  t.strictSame(run.summary, summary);
  const matrix = run.matrix('criticality');
  t.strictSame(matrix.shape, [summary.layers.length, 2]);
  t.equal(matrix.get(0, 1), 100 * (1 - draws[1]!.cosine!));
});

t.test('--reset zero equals a hand-made ONNX with zeros, run in onnxruntime-node directly', async (t) => {
  const images = await openImages(example('images.npz'), { ...modelInput(fashion), images: 200 });
  const { draws } = await sweep(fashion, images, {
    resets: [await parseReset('zero')],
    layers: ['layer2.0.conv1'],
  });
  const pixels = new Float32Array(200 * 28 * 28);
  await images.read(0, 200, pixels);
  await images.close();

  const file = await readOnnx(example('resnet.onnx'));
  const weight = file.graph.initializer.find(({ name }) => name === 'layer2.0.conv1.weight');
  const zeros = new Float32Array((weight?.rawData.byteLength ?? 0) / 4);
  const logits = async (bytes: Uint8Array) => {
    const session = await InferenceSession.create(bytes);
    const result = await session.run({ images: new Tensor('float32', pixels, [200, 1, 28, 28]) });
    return result.logits?.data as Float32Array;
  };
  const original = await logits(readFileSync(example('resnet.onnx')));
  const changed = await logits(writeOnnx(file, new Map([['layer2.0.conv1.weight', zeros]])));
  let agreement = 0;
  let cosine = 0;
  for (let i = 0; i < 200; i++) {
    const [p, q] = [
      softmax(original.subarray(i * 10, i * 10 + 10)),
      softmax(changed.subarray(i * 10, i * 10 + 10)),
    ];
    if (p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q))) agreement++;
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, j) => sum + value * (b[j] as number), 0);
    cosine += dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
  }
  const [trial] = draws;
  t.equal(trial?.agreementCount, agreement);
  t.ok(Math.abs((trial?.cosine ?? 0) - cosine / 200) < 1e-6, `${trial?.cosine} ${cosine / 200}`);
});

t.test("the baseline is the model's accuracy, and labels give accuracies after the reset", async (t) => {
  const { summary } = await sweepOf(fashion, example('images.npz'), 1000, {
    layers: ['conv1', 'fc'],
    trials: 1,
  });
  t.ok(summary.baseline && summary.baseline.top1 >= 90, `${summary.baseline?.top1}`);
  for (const layer of summary.layers) {
    t.ok(layer.top1 !== null && layer.top1 < (summary.baseline?.top1 ?? 0), `${layer.layer} ${layer.top1}`);
    t.ok(
      layer.recovered !== null && Math.abs(layer.recovered - layer.top1! / summary.baseline!.top1) < 1e-12,
    );
  }
});

t.test('agreement counts do not depend on the batch, nor bytes on the threads', async (t) => {
  const counts = async (batch: number, threads: number) => {
    const { draws } = await noise({ trials: 1, batch, threads }, 100);
    return draws.map(({ agreementCount }) => agreementCount);
  };
  const expected = await counts(64, 2);
  t.strictSame(await counts(1, 2), expected);
  t.strictSame(await counts(7, 1), expected);
});

t.test('chunks that are computed at once are in the journal one after the other', async (t) => {
  const dir = t.testdir({});
  const journalOf = async (threads: number) => {
    const out = join(dir, String(threads));
    await noise({ out, trials: 1, threads, batch: 64 }, 900);
    return readFileSync(join(out, 'cells.ndjson'), 'utf8');
  };
  const alone = await journalOf(1);
  t.equal(await journalOf(8), alone);
  const chunks: number[] = alone.split('\n').flatMap((line) => (line ? [JSON.parse(line).chunk] : []));
  t.strictSame(chunks, [...chunks].sort(), 'in order');
  t.strictSame([...new Set(chunks)], [0, 1, 2, 3]);
});

t.test('two runs give the same bytes', async (t) => {
  const dir = t.testdir({});
  for (const name of ['a', 'b']) await noise({ out: join(dir, name), trials: 2 }, 100);
  for (const file of ['summary.json', 'summary.csv', 'results.csv']) {
    t.equal(readFileSync(join(dir, 'a', file), 'utf8'), readFileSync(join(dir, 'b', file), 'utf8'), file);
  }
});

for (const engine of ['fast', 'reference'] as const) {
  t.test(
    `a sweep by the ${engine} engine that was stopped goes on and ends with the same bytes`,
    async (t) => {
      const dir = t.testdir({});
      await noise({ out: join(dir, 'whole'), trials: 2, engine });
      const expected = readFileSync(join(dir, 'whole', 'summary.json'), 'utf8');
      // Of 18 (layer, chunk)s; the fast engine finishes a chunk's 9 together.
      for (const stopAfter of [1, 5, ...(engine === 'reference' ? [12] : [])]) {
        const out = join(dir, `stopped-${stopAfter}`);
        const controller = new AbortController();
        let finished = 0;
        // Progress within a chunk has no layer.
        const onProgress = ({ layer }: Progress) => {
          if (layer && ++finished === stopAfter) controller.abort();
        };
        const stopped = noise({ out, trials: 2, engine, signal: controller.signal, onProgress });
        await t.rejects(stopped, { name: 'AbortError' });
        const partial = await readRun(out);
        t.equal(partial.info.status, 'interrupted');
        t.ok(partial.summary.layers.some((layer) => layer.images > 0));
        let again = 0;
        const onResume = ({ layer }: Progress) => {
          if (layer) again++;
        };
        await noise({ out, trials: 2, engine, onProgress: onResume });
        t.ok(again < 18, 'what was finished is not computed again');
        t.equal(readFileSync(join(out, 'summary.json'), 'utf8'), expected, `stopped after ${stopAfter}`);
        t.equal((await readRun(out)).info.status, 'done');
      }
    },
  );
}

t.test('the fast engine gives the numbers of the reference engine, whatever the threads', async (t) => {
  for (const design of [{ trials: 2 }, { imagesPerDraw: 16, trials: 2 }, { imagesPerDraw: 40 }]) {
    const of = async (engine: 'fast' | 'reference', threads: number) =>
      (await noise({ engine, threads, ...design }, 100)).draws;
    const reference = await of('reference', 2);
    const fast = await of('fast', 1);
    t.strictSame(await of('fast', 3), fast, 'the same bits');
    t.equal(fast.length, reference.length);
    for (const [i, { layer, draw, agreementCount, cosine, change }] of fast.entries()) {
      const expected = reference[i];
      t.equal(draw, expected?.draw);
      t.equal(agreementCount, expected?.agreementCount, layer);
      t.ok(Math.abs((cosine ?? 0) - (expected?.cosine ?? 1)) < 1e-5);
      t.equal(change, expected?.change);
    }
  }
});

t.test('a killed sweep, its journal torn anywhere, ends with the same bytes', async (t) => {
  const dir = t.testdir({});
  const whole = join(dir, 'whole');
  await noise({ out: whole, trials: 1 }, 100);
  const expected = readFileSync(join(whole, 'summary.json'), 'utf8');
  const journal = readFileSync(join(whole, 'cells.ndjson'));
  for (const share of [0, 0.3, 0.77]) {
    const out = join(dir, `killed-${share}`);
    await noise({ out, trials: 1 }, 100);
    writeFileSync(join(out, 'cells.ndjson'), journal.subarray(0, Math.floor(journal.length * share)));
    await noise({ out, trials: 1 }, 100);
    t.equal(readFileSync(join(out, 'summary.json'), 'utf8'), expected, `cut at ${share}`);
  }
});

t.test('a finished sweep is read, not computed again', async (t) => {
  const out = join(t.testdir({}), 'run');
  const first = await noise({ out, trials: 1 }, 50);
  let computed = 0;
  const second = await noise({ out, trials: 1, onProgress: ({ layer }) => layer && computed++ }, 50);
  t.equal(computed, 0);
  t.strictSame(second.summary, first.summary);
});

t.test('a resumed sweep computes just what is missing', async (t) => {
  const out = join(t.testdir({}), 'run');
  const controller = new AbortController();
  let first = 0;
  await t.rejects(
    noise({
      out,
      trials: 2,
      signal: controller.signal,
      onProgress: ({ layer }) => layer && ++first === 7 && controller.abort(),
    }),
  );
  let second = 0;
  await noise({ out, trials: 2, onProgress: ({ layer }) => layer && second++ });
  t.equal(first + second, 2 * bottleneck.layers.length, 'every layer, with both trials, on two chunks');
});

t.test('a journal whose chunks are not this sweep is refused', async (t) => {
  const out = join(t.testdir({}), 'run');
  await noise({ out, trials: 1 }, 50);
  const path = join(out, 'cells.ndjson');
  const text = readFileSync(path, 'utf8');
  // Numbers of a slice: slice, trial, change, images, invalid, agreement, ...
  reseal(out, () => text.replace(/(\[\[0,0,[\d.]+,)50,/, '$151,'));
  await t.rejects(noise({ out, trials: 1 }, 50), { code: 'ERR_RUN', message: /51 images in chunk 0/ });
  reseal(out, () => text.replace(/(\[\[0,0,[\d.]+,50,0,)\d+,/, '$151,'));
  const { warnings } = await noise({ out, trials: 1 }, 50);
  t.match(warnings.join(), /line \d+ damaged or of another run; what it held is computed again/);
});

t.test('a donor file that has changed does not continue a run', async (t) => {
  const dir = t.testdir({});
  const donor = join(dir, 'donor.onnx');
  copyFileSync(fixture('bottleneck-donor.onnx'), donor);
  const go = async () => noise({ out: join(dir, 'run'), resets: [await parseReset(`donor=${donor}`)] }, 20);
  await go();
  const changed = await loadModel(donor);
  writeFileSync(donor, writeOnnx(changed.file, new Map([['fc.bias', new Float32Array(7)]])));
  await t.rejects(go(), { code: 'ERR_RUN', message: /donors/ });
});

t.test('a graph that is fixed to a batch takes any number of images', async (t) => {
  for (const batch of [1, 16]) {
    const path = join(t.testdir({}), 'fixed.onnx');
    const file = await readOnnx(fixture('bottleneck.onnx'));
    const dim = file.graph.input[0]?.type?.tensorType?.shape?.dim[0];
    if (dim) Object.assign(dim, { dimValue: BigInt(batch), dimParam: '' });
    writeFileSync(path, writeOnnx(file));
    const fixed = await loadModel(path);
    t.equal(fixed.io.batch, batch);
    const counts = ({ draws }: SweepResult) => draws.map(({ agreementCount }) => agreementCount);
    const found = await sweepOf(fixed, 'synthetic:20', 20, { trials: 1 });
    t.strictSame(counts(found), counts(await noise({ trials: 1 }, 20)));
  }
});

t.test('a warning of the model is in the result, also when the sweep is continued', async (t) => {
  const out = join(t.testdir({}), 'run');
  const folded = await loadModel(fixture('bottleneck.folded.onnx'));
  for (let i = 0; i < 2; i++) {
    const { warnings } = await sweepOf(folded, 'synthetic:20', 20, { trials: 1, layers: ['fc'], out });
    t.equal(warnings.length, 1);
    t.match(warnings[0], /BatchNorm/);
    t.strictSame((await readRun(out)).info.warnings, warnings);
  }
});

t.test('options that sweep does not have, and values of the wrong kind, are TypeErrors', async (t) => {
  const bad = [{ reset: 'zero' }, { layers: 'fc' }, { resets: ['zero'] }, { resets: 'zero' }, null];
  for (const options of bad)
    await t.rejects(noise(options as SweepOptions, 5), TypeError, JSON.stringify(options));
  await t.rejects(sweep('model.onnx' as unknown as Model, {} as ImageSet), TypeError);
  const twice = [await parseReset('zero'), await parseReset('zero')];
  await t.rejects(noise({ resets: twice }, 5), { code: 'ERR_OPTION', message: /zero is given twice/ });
});

t.test('an abort before or during a sweep rejects with its reason', async (t) => {
  const reason = new Error('enough');
  await t.rejects(noise({ signal: AbortSignal.abort(reason), trials: 1 }, 20), reason);
});

t.test('labels beyond the classes and options out of range are refused', async (t) => {
  const labels = join(t.testdir({ 'labels.txt': '9\n'.repeat(20) }), 'labels.txt');
  const images: ImageSet = await openImages('synthetic:20', { ...modelInput(bottleneck), labels });
  await t.rejects(sweep(bottleneck, images), {
    code: 'ERR_IMAGES',
    message: /labels up to 9, the model only classes 0 to 6/,
  });
  for (const options of [
    { trials: 0 },
    { batch: 0 },
    { seed: -1 },
    { threads: 1.5 },
    { confidence: 1 },
    { resets: [] },
    { init: 'glorot' as 'auto' },
    { norm: 'drop' as 'keep' },
    { engine: 'slow' as 'reference' },
  ]) {
    await t.rejects(sweep(bottleneck, images, options), { code: 'ERR_OPTION' }, JSON.stringify(options));
  }
  await images.close();
});

t.test(
  'labels beyond the classes are refused by both engines where the graph does not tell the classes',
  async (t) => {
    const dir = t.testdir({ 'labels.txt': '9\n'.repeat(20) });
    const file = await readOnnx(fixture('bottleneck.onnx'));
    const shape = file.graph.output[0]?.type?.tensorType?.shape;
    if (shape?.dim[1]) Object.assign(shape.dim[1], { dimValue: 0n, dimParam: 'classes' });
    const path = join(dir, 'open.onnx');
    writeFileSync(path, writeOnnx(file));
    const model = await loadModel(path);
    t.equal(model.io.classes, null);
    const images = await openImages('synthetic:20', {
      ...modelInput(model),
      labels: join(dir, 'labels.txt'),
    });
    for (const engine of ['fast', 'reference'] as const) {
      await t.rejects(sweep(model, images, { engine, trials: 1 }), {
        code: 'ERR_IMAGES',
        message: /only classes 0 to 6/,
      });
    }
    await images.close();
  },
);

t.test('a layer whose reset changes nothing stops the sweep before any work', async (t) => {
  const out = join(t.testdir({}), 'run');
  await t.rejects(noise({ out, resets: [await parseReset(`donor=${fixture('bottleneck.onnx')}`)] }, 20), {
    code: 'ERR_RESET',
  });
});

t.test('images on which the reset model gives NaN are counted as invalid, not dropped', async (t) => {
  const { summary } = await noise({ layers: ['fc'], resets: [await parseReset('constant=3e38')] }, 20);
  const [layer] = summary.layers;
  t.equal(layer?.invalid, 20);
  t.equal(layer?.agreement.mean, 0, 'an invalid image never agrees');
  t.equal(layer?.criticality.mean, 100, 'and nothing is left of its prediction');
  t.equal(layer?.cosine, null, 'which has no distance');
});

function softmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const exps = Array.from(logits, (value) => Math.exp(value - largest));
  const sum = exps.reduce((total, value) => total + value, 0);
  return exps.map((value) => value / sum);
}
