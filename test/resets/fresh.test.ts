import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { parametersOf } from '../../src/model/parameters.js';
import { loadFresh } from '../../src/resets/fresh.js';
import { parseResets } from '../../src/resets/parse.js';
import { readRun } from '../../src/run/read-run.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';
import { safetensors } from '../weights/build-checkpoints.js';

const model = await loadModel(fixture('bottleneck.onnx'));

/** Checkpoints of other weights, fresh-1 to fresh-10; the weights of `own` are the model's. */
const dir = t.testdir({});
const numbers = [1, 2, 10];
const fileOf = (i: number) => join(dir, `fresh-${i}.safetensors`);
for (const i of numbers) {
  let at = 0;
  const parts: Buffer[] = [];
  const header = parametersOf(model).map(({ names, shape, tensor }) => {
    const values = model.values(tensor).map((value, n) => value + 0.05 * i * Math.sin(n * i + 1));
    parts.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    const from = at;
    at += values.byteLength;
    return [names[0]!, { dtype: 'F32', shape, data_offsets: [from, at] }] as const;
  });
  writeFileSync(fileOf(i), safetensors(Object.fromEntries(header), Buffer.concat(parts)));
}

async function noise(options: SweepOptions) {
  const images = await openImages('synthetic:24', { ...modelInput(model), images: 24 });
  try {
    return await sweep(model, images, options);
  } finally {
    await images.close();
  }
}

t.test("fresh models are a random reset's draws, in the order of their numbers", async (t) => {
  const initFrom = await loadFresh([join(dir, 'fresh-*.safetensors')], model);
  t.strictSame(
    initFrom.map(({ file }) => file.path),
    numbers.map(fileOf),
  );
  const resets = await parseResets(
    numbers.map((i) => `donor=${fileOf(i)}`),
    model,
  );
  const layers = ['conv1', 'layer1.0.conv2', 'fc'];
  await noise({ resets, layers, imagesPerDraw: 'all', out: join(dir, 'donors') });
  const expected = await readRun(join(dir, 'donors'));
  for (const engine of ['fast', 'reference'] as const) {
    const { summary, warnings } = await noise({ initFrom, engine, layers, out: join(dir, engine) });
    t.notOk(warnings.some((warning) => /guess/.test(warning)));
    const found = await readRun(join(dir, engine));
    for (const [row, layer] of found.layers.entries()) {
      t.equal(summary.layers[row]?.init, 'fresh-1.safetensors and 2 more');
      t.equal(summary.layers[row]?.draws, 3, 'each model is one draw');
      for (const [draw, i] of numbers.entries()) {
        for (const [metric, close] of [
          ['cosine', 1e-6],
          ['change', 1e-9],
        ] as const) {
          const a = found.matrix(metric).get(row, draw);
          const b = expected.matrix(metric, `donor=${fileOf(i)}`).get(row, 0);
          t.ok(Math.abs(a - b) < close, `${engine}: ${metric} of draw ${draw} of ${layer}: ${a} is ${b}`);
        }
      }
    }
  }
});

t.test('other models in other order are another sweep; more trials than models are refused', async (t) => {
  const out = join(dir, 'run');
  const [first, second] = await loadFresh([fileOf(1), fileOf(2)], model);
  const layers = ['fc'];
  await noise({ out, initFrom: [first!, second!], trials: 2, layers });
  await t.rejects(noise({ out, initFrom: [second!, first!], trials: 2, layers }), {
    code: 'ERR_RUN',
    message: /initFrom/,
  });
  const refused = (options: SweepOptions, message: RegExp) =>
    t.rejects(noise({ layers, ...options }), { code: 'ERR_OPTION', message }, String(message));
  await refused(
    { initFrom: [first!], trials: 2 },
    /2 trials need as many fresh models, --init-from has 1; .* or --trials 1/,
  );
  await refused({ initFrom: [first!], published: true }, /3 trials need as many/);
  await refused({ initFrom: [first!], imagesPerDraw: 8 }, /sees all images; leave out --images-per-draw/);
  await refused({ initFrom: [first!], tolerance: 2 }, /--tolerance needs draws that go on/);
  await refused({ initFrom: [], trials: 1 }, /--init-from names no model/);
  await refused({ initFrom: [first!], trials: 1, init: 'pytorch' }, /--init and --init-from/);
  await refused(
    { initFrom: [first!], trials: 1, resets: await parseResets(['zero'], model) },
    /goes with --reset random/,
  );
  await t.rejects(noise({ initFrom: ['fresh.safetensors'] as never }), {
    name: 'TypeError',
    message: /loadFresh/,
  });
});

t.test('globs that match nothing, twins and other architectures are refused by name', async (t) => {
  const refused = (sources: string[], code: string, message: RegExp) =>
    t.rejects(loadFresh(sources, model), { code, message }, String(message));
  await refused(
    [join(dir, 'frish-*.safetensors')],
    'ERR_OPTION',
    /--init-from .*frish.* matches no file; look into /,
  );
  await refused([join(dir, 'none', '*')], 'ERR_OPTION', /ENOENT/);
  await refused([join(dir, 'fresh-3.safetensors')], 'ERR_WEIGHTS', /fresh-3\.safetensors/);
  await refused([fileOf(1), fileOf(1)], 'ERR_OPTION', /it is named twice/);
  copyFileSync(fileOf(1), join(dir, 'copy.safetensors'));
  await refused(
    [fileOf(1), join(dir, 'copy.safetensors')],
    'ERR_OPTION',
    /copy\.safetensors: it is .*fresh-1\.safetensors once more; build each/,
  );
  const other = join(dir, 'other.safetensors');
  writeFileSync(
    other,
    safetensors({ nothing: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, Buffer.alloc(4)),
  );
  await refused([other], 'ERR_WEIGHTS', /none of its 1 tensors/);
  const [onnx] = await loadFresh([fixture('mlp.onnx')], model);
  await t.rejects(noise({ initFrom: [onnx!], trials: 1 }), {
    code: 'ERR_RESET',
    message: /mlp\.onnx does not fit conv1/,
  });
});
