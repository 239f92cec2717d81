import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { parseReset, parseResets } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { readRun } from '../../src/run/read-run.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';

const weights = (name: string) => fixture(`weights/${name}`);

async function sweepOf(model: Model, options: SweepOptions) {
  const images = await openImages('synthetic:24', { ...modelInput(model), images: 24 });
  try {
    return await sweep(model, images, { trials: 1, ...options });
  } finally {
    await images.close();
  }
}

t.test('both engines sweep a checkpoint, and agree; the run says where its weights are from', async (t) => {
  const dir = t.testdir({});
  const plain = await sweepOf(await loadModel(fixture('bottleneck.onnx')), {});
  for (const [graph, file] of [
    ['bottleneck.onnx', 'bottleneck.strided.pth'],
    ['vit.folded.onnx', 'vit.strided.legacy.pth'],
  ] as const) {
    const model = await loadModel(fixture(graph), { weights: [weights(file)] });
    const out = join(dir, graph);
    const { summary: fast, draws } = await sweepOf(model, { out });
    const reference = await sweepOf(model, { engine: 'reference' });
    for (const [i, { layer, agreementCount, cosine }] of draws.entries()) {
      const expected = reference.draws[i];
      t.equal(agreementCount, expected?.agreementCount, layer);
      t.ok(Math.abs((cosine ?? 0) - (expected?.cosine ?? 1)) < 1e-4, layer);
    }
    const { info } = await readRun(out);
    t.equal(info.model.sha256, model.sha256);
    t.strictSame(info.environment.weights, model.weights?.files);
    if (graph === 'bottleneck.onnx') t.notSame(fast.layers[0]?.change, plain.summary.layers[0]?.change);
  }
});

t.test('a run of other weights is not continued', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'w.pth');
  const go = async (name: string) => {
    copyFileSync(weights(name), file);
    return sweepOf(await loadModel(fixture('mlp.onnx'), { weights: [file] }), { out: join(dir, 'run') });
  };
  await go('mlp.protocol4.pth');
  await go('mlp.protocol4.pth');
  await t.rejects(go('mlp.float16.pth'), { code: 'ERR_RUN', message: /another run \(model w\)/ });
});

/** The new weights of the layers named, or of all. */
async function reset(t: Test, model: Model, text: string, names?: string[]) {
  const [found] = await parseResets([text], model);
  if (!found) throw t.error('no reset');
  const values: Record<string, number[]> = {};
  for (const layer of model.layers) {
    if (names && !names.includes(layer.name)) continue;
    const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
    const { tensors } = await resetLayer(model, layer, found, 0, context);
    for (const [tensor, data] of tensors) values[tensor] = [...data];
  }
  return values;
}

t.test('a donor may be a checkpoint, and is what the ONNX of the same weights is', async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const expected = await reset(t, model, `donor=${fixture('bottleneck-donor.onnx')}`);
  for (const file of ['bottleneck.safetensors', 'bottleneck.legacy.pth', 'bottleneck.strided.pth']) {
    t.strictSame(await reset(t, model, `donor=${weights(file)}`), expected, file);
  }
});

t.test('interpolating with a checkpoint weighs its values and the own ones', async (t) => {
  const model = await loadModel(fixture('mlp.onnx'));
  const donor = await reset(t, model, `donor=${weights('mlp.pth.tar')}`);
  const mixed = await reset(t, model, `interpolate=${weights('mlp.pth.tar')}@0.25`);
  for (const [tensor, values] of Object.entries(mixed)) {
    const own = model.values(tensor);
    const far = values.map((value, i) =>
      Math.abs(value - (0.75 * (donor[tensor]?.[i] ?? 0) + 0.25 * (own[i] ?? 0))),
    );
    t.ok(Math.max(...far) < 1e-6, tensor);
  }
});

t.test('a donor without some layers serves the others', async (t) => {
  const options = { weights: [weights('mlp.float16.safetensors')] };
  for (const model of [await loadModel(fixture('mlp.onnx')), await loadModel(fixture('mlp.onnx'), options)]) {
    const text = `donor=${weights('mlp.backbone.pth')}`;
    t.strictSame(Object.keys(await reset(t, model, text, ['fc1'])).sort(), ['fc1.bias', 'fc1.weight']);
    await t.rejects(reset(t, model, text, ['fc2']), {
      code: 'ERR_RESET',
      message: /the donor .*mlp\.backbone\.pth does not fit fc2: it has no weight of that layer/,
    });
  }
});

t.test('a checkpoint donor needs the model, and one whose BatchNorm is not folded', async (t) => {
  await t.rejects(parseReset(`donor=${weights('mlp.pth.tar')}`), {
    code: 'ERR_OPTION',
    message: /parseResets/,
  });
  const folded = await loadModel(fixture('bottleneck.folded.onnx'));
  await t.rejects(parseResets([`donor=${weights('bottleneck.legacy.pth')}`], folded), {
    code: 'ERR_WEIGHTS',
    message: /folded into the convolutions/,
  });
  await t.rejects(parseResets(['donor=gone.pth'], folded), {
    code: 'ERR_WEIGHTS',
    message: /gone\.pth: does not/,
  });
});

t.test('a donor may be one of the sets of weights in a checkpoint', async (t) => {
  const model = await loadModel(fixture('mlp.onnx'));
  const file = fixture('shapes/attacker.pth');
  for (const place of ['module.model', 'attacker.model']) {
    const whole = await loadModel(fixture('mlp.onnx'), { weights: [`${file}#${place}`] });
    const given = await reset(t, model, `donor=${file}#${place}`);
    t.strictSame(given['fc1.weight'], [...whole.values('fc1.weight')], place);
    const between = await reset(t, model, `interpolate=${file}#${place}@0.25`);
    const [own, theirs] = [model.values('fc1.weight')[0]!, whole.values('fc1.weight')[0]!];
    t.ok(Math.abs(between['fc1.weight']![0]! - (0.75 * theirs + 0.25 * own)) < 1e-6);
  }
  await t.rejects(parseResets([`donor=${file}#encoder_q`], model), {
    code: 'ERR_WEIGHTS',
    message: /has no weights of the model at "encoder_q"; it has some at .*module\.model/,
  });
  await t.rejects(parseResets([`donor=${fixture('mlp.onnx')}#ema`], model), {
    code: 'ERR_OPTION',
    message: /is an ONNX model, which has one set of weights; leave out #ema/,
  });
});

t.test("donors are renamed as the model's own checkpoints, and known by the same dialects", async (t) => {
  const options = { rename: ['^net\\.(\\d)\\.dense=fc$1'] };
  const [renamed, plain] = [fixture('shapes/tensorflow.pth'), weights('mlp.float16.safetensors')];
  const model = await loadModel(fixture('mlp.onnx'), { weights: [renamed, plain], ...options });
  const given = await reset(t, model, `donor=${renamed}`);
  const same = await loadModel(fixture('mlp.onnx'), { weights: [fixture('shapes/nested.pth')] });
  t.strictSame(given['fc1.weight'], [...same.values('fc1.weight')]);
  // Its names are the model's: the rename, which changes none of them, is no reason to refuse it.
  const other = await loadModel(fixture('mlp.onnx'), { weights: [renamed], ...options });
  const back = await reset(t, other, `donor=${plain}`);
  t.strictSame(back['fc1.weight'], [...model.values('fc1.weight')]);

  const net = await loadModel(fixture('bottleneck.onnx'));
  const simclr = await reset(t, net, `donor=${fixture('shapes/simclr.pth')}`);
  const whole = await loadModel(fixture('bottleneck.onnx'), { weights: [fixture('shapes/simclr.pth')] });
  t.strictSame(simclr['conv1.weight'], [...whole.values('conv1.weight')]);
});

t.test('the file of a donor is read, not written', async (t) => {
  const before = readFileSync(weights('mlp.pth.tar'));
  await reset(t, await loadModel(fixture('mlp.onnx')), `donor=${weights('mlp.pth.tar')}`);
  t.strictSame(readFileSync(weights('mlp.pth.tar')), before);
});

t.test('what is doubtful of a donor is told with the sweep, and kept in its run', async (t) => {
  const out = join(t.testdir({}), 'run');
  const model = await loadModel(fixture('mlp.onnx'));
  const resets = await parseResets(
    [`donor=${weights('mlp.ema.ckpt')}`, `donor=${weights('mlp.backbone.pth')}`],
    model,
  );
  const told: string[] = [];
  const onWarning = (message: string) => told.push(message);
  await sweepOf(model, { resets, layers: ['fc1'], out, onWarning });
  t.match(told, [
    /^the donor .*mlp\.ema\.ckpt holds the model more than once: state_dict_ema is taken/,
    /^the donor .*mlp\.backbone\.pth: has 2 of the [0-9]+ parameters .*: missing fc2/,
  ]);
  t.strictSame((await readRun(out)).info.warnings, told);
});

t.test('a donor may be an ONNX model that stores its matrices the other way round', async (t) => {
  const model = await loadModel(fixture('vit.onnx'), { weights: [weights('vit.strided.legacy.pth')] });
  // The folded export stores [in, out] of the weights that the plain one stores as [out, in].
  const donor = await loadModel(fixture('vit.folded.onnx'));
  t.ok(donor.layers.some(({ weight }) => weight.layout.transposed));
  const given = await reset(t, model, `donor=${fixture('vit.folded.onnx')}`);
  t.strictSame(given, await reset(t, model, `donor=${fixture('vit.onnx')}`));
  // And back.
  const other = await loadModel(fixture('vit.folded.onnx'), { weights: [weights('vit.strided.legacy.pth')] });
  const back = await reset(t, other, `donor=${fixture('vit.onnx')}`);
  for (const [tensor, values] of Object.entries(back))
    t.strictSame(values, [...donor.values(tensor)], tensor);
});

t.test('a donor that is neither model nor checkpoint is refused for what it is', async (t) => {
  const model = await loadModel(fixture('mlp.onnx'));
  const path = join(t.testdir({}), 'donor.pth');
  const refused: [bytes: string, message: RegExp][] = [
    ['\x1f\x8b\x08', /donor\.pth: is compressed \(gzip\); unpack it first/],
    ['\x89HDF\r\n', /is an HDF5 file/],
    ['version https://git-lfs.github.com/spec/v1\n', /git lfs pull/],
    ['\x80\x02N.', /is a plain pickle/],
    ['', /is empty/],
  ];
  for (const [bytes, message] of refused) {
    writeFileSync(path, bytes, 'latin1');
    await t.rejects(parseResets([`donor=${path}`], model), { code: 'ERR_WEIGHTS', message });
  }
  writeFileSync(path, 'weights\n'.repeat(9));
  await t.rejects(parseResets([`donor=${path}`], model), { code: 'ERR_MODEL', message: /ONNX/ });
});
