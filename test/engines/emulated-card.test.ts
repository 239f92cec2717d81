/**
 * What only an emulated card does when it is asked: it fails for good, and takes nothing that a real one would keep.
 * Each case is a process of its own, as a card's failure is.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import type { Check } from '../../src/doctor/check.js';
import { loadModel } from '../../src/model/load.js';
import { native } from '../../src/native/addon.js';
import type { Precision } from '../../src/native/cards.js';
import type { CudaLayout } from '../../src/native/engine.js';
import { onnxruntimeLibrary } from '../../src/native/onnxruntime-library.js';
import { limitsOnCards } from '../../src/plan/limits.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { critmapIn } from '../commands/critmap.js';
import { example } from '../fixtures.js';
import { smallStudy } from '../study/small-study.js';

const isEmulated = native().cuda().devices[0]?.name === 'emulated on the host';
const skip = isEmulated ? false : 'the card is not an emulated one';
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a script prints, which has `open` (an engine's options besides the card), `batch` and `say`. */
function printed(variables: NodeJS.ProcessEnv, script: string): string[] {
  const from = (file: string) => JSON.stringify(join(root, file));
  const source = `
    import { nativeEngine, isDeviceLost } from ${from('src/native/open-engine.ts')};
    import { onnxruntimeLibrary } from ${from('src/native/engine.ts')};
    import { CLASSES, noise, product, productKeys, products } from ${from('test/cpp/engine/models.ts')};
    const library = onnxruntimeLibrary();
    const say = (text) => process.stdout.write(text + '\\n');
    const open = (options = {}) => nativeEngine.open({ library, threads: 1, cards: [0], ...options });
    const tried = async (what) => {
      try { return await what(); } catch (error) { return isDeviceLost(error) + ' ' + error.message; }
    };
    async function loaded(options) {
      const engine = open(options);
      await engine.addSession(product(3), 'product');
      await engine.load(products(3, 4));
      return engine;
    }
    const batch = (engine) =>
      engine.execute(noise(3 * CLASSES, 3n), 3, undefined, new Uint8Array(4).fill(1), productKeys(4));
    ${script}`;
  const { NVIDIA_TF32_OVERRIDE, CUBLAS_WORKSPACE_CONFIG, ...env } = process.env;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import=tsx', '--input-type=module', '-e', source],
    { encoding: 'utf8', cwd: root, env: { ...env, ...variables } },
  );
  t.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

t.test('a process computes with TF32 on cards or without, as the environment allows', { skip }, (t) => {
  const opening = (variables: NodeJS.ProcessEnv, ...precisions: string[]) =>
    printed(
      variables,
      `for (const precision of ${JSON.stringify(precisions)})
         say(await tried(async () => { await open({ precision }).close(); return 'opened'; }));
       say([process.env.NVIDIA_TF32_OVERRIDE, process.env.CUBLAS_WORKSPACE_CONFIG].join(' '));`,
    );
  const another = (now: string, before: string) =>
    `false cuda:0: this process has opened a card for ${before}, and NVIDIA's libraries learn only once whether they may use TF32; compute in ${now} in another process`;
  t.strictSame(opening({}, 'fp16', 'fp32', 'tf32', 'fp16'), [
    ...['opened', 'opened', another('tf32', 'fp16'), 'opened'],
    '0 :4096:2:16:8',
  ]);
  t.strictSame(opening({ CUBLAS_WORKSPACE_CONFIG: ':16:8' }, 'tf32', 'fp32'), [
    ...['opened', another('fp32', 'tf32')],
    ' :16:8',
  ]);
  const [forbidden, fine] = opening({ NVIDIA_TF32_OVERRIDE: '0' }, 'tf32', 'fp32');
  t.match(forbidden, /^false cuda:0: NVIDIA_TF32_OVERRIDE=0 in the environment forbids TF32; unset it, or /);
  t.equal(fine, 'opened');
  const [forced] = opening({ NVIDIA_TF32_OVERRIDE: '1' }, 'fp32');
  t.match(forced, /^false cuda:0: NVIDIA_TF32_OVERRIDE=1 .*which fp32 must not; unset it, or /);
  t.end();
});

t.test('what the provider is told of each session', { skip }, async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const cells = planCells(model.layers, [{ kind: 'zero', label: 'zero' }], 1);
  const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
  const size = { height: 28, width: 28 };
  const told = async (precision: Precision, layout?: CudaLayout) => {
    const file = join(t.testdir({}), 'options');
    const options = { cells, context, size, batch: 2, threads: 1, cards: [0], precision };
    printed(
      { CRITMAP_EMULATED_OPTIONS: file, ...(layout && { CRITMAP_CUDA_LAYOUT: layout }) },
      `const { openFastEngine } = await import(${JSON.stringify(join(root, 'src/engines/fast.ts'))});
       const { loadModel } = await import(${JSON.stringify(join(root, 'src/model/load.ts'))});
       const { planCells } = await import(${JSON.stringify(join(root, 'src/design/cells.ts'))});
       const model = await loadModel(${JSON.stringify(example('resnet.onnx'))});
       const cells = planCells(model.layers, [{ kind: 'zero', label: 'zero' }], 1);
       await (await openFastEngine(model, { ...${JSON.stringify({ ...options, cells: undefined })}, cells })).close();`,
    );
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    // Sessions are made in the order of the plan.
    const { sessions } = await planSweep(model, {
      ...options,
      size: { ...size, channels: 1 },
      graph: 'model',
      limits: limitsOnCards(layout ?? 'nchw'),
    });
    t.equal(lines.length, sessions.length);
    return new Map(sessions.map(({ name }, i) => [name, lines[i]!]));
  };
  const common = (tf32: number) =>
    `device_id=0 use_tf32=${tf32} arena_extend_strategy=kSameAsRequested cudnn_conv_algo_search=HEURISTIC `;
  for (const line of (await told('fp32')).values()) t.equal(line, common(0));
  for (const line of (await told('tf32', 'nchw')).values()) t.equal(line, common(1));
  for (const precision of ['fp32', 'fp16'] as const) {
    const found = await told(precision, 'nhwc');
    const last = `${common(precision === 'fp32' ? 0 : 1)}prefer_nhwc=1 fuse_conv_bias=1 `;
    const kinds = [...found].map(([name, line]) => [name.endsWith(', as trained'), line === last]);
    t.ok(kinds.some(([plain]) => plain) && kinds.some(([plain]) => !plain));
    t.ok(
      kinds.every(([plain, isLast]) => plain === isLast),
      `${precision}: segments as trained, and no others`,
    );
    for (const line of found.values()) t.ok(line === last || line === common(precision === 'fp32' ? 0 : 1));
  }
});

t.test('a run goes on in the layout that it was begun in', { skip }, async (t) => {
  const out = join(t.testdir({}), 'run');
  const sweep = (layout: string) =>
    critmapIn(
      { CRITMAP_CUDA_LAYOUT: layout },
      ...['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--device', 'cuda'],
      ...['--images', '8', '--layers', 'fc', '--out', out],
    );
  const first = await sweep('nhwc');
  t.equal(first.code, 0, first.stderr);
  const { options, environment } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  t.strictSame([options.layout, environment.layout], ['nhwc', 'nhwc']);
  t.match((await sweep('nchw')).stderr, /holds another run \(layout "nhwc", now .*\)/);
  t.match((await sweep('last')).stderr, 'CRITMAP_CUDA_LAYOUT=last is not nchw, nhwc; unset it');
});

t.test('a run goes on in the batches that it was begun in, or not at all', { skip }, async (t) => {
  const folder = t.testdir({});
  const model = [example('resnet.onnx'), '--device', 'cuda', '--layers', 'fc'];
  const plan = await critmapIn({}, 'inspect', ...model, '--plan-only', '--batch', '256', '--json');
  t.equal(plan.code, 0, plan.stderr);
  const { total } = JSON.parse(plan.stdout).plan.bytes;
  const enough = Math.ceil(total / 0.95 / 2 ** 20) + 8;
  const sweep = (megabytes: number, name: string) =>
    critmapIn(
      { CRITMAP_EMULATED_CARDS: String(megabytes) },
      ...['sweep', ...model, '--data', example('images.npz'), '--images', '96', '--trials', '1'],
      ...['--out', join(folder, name)],
    );
  const read = (...path: string[]) => readFileSync(join(folder, ...path), 'utf8');
  const batchOf = (name: string) => JSON.parse(read(name, 'run.json')).environment.batch;
  t.equal((await sweep(enough, 'run')).code, 0);
  t.equal(batchOf('run'), 256);
  // As if it had been ended before anything was computed.
  const summary = read('run', 'summary.json');
  writeFileSync(join(folder, 'run', 'cells.ndjson'), `${read('run', 'cells.ndjson').split('\n')[0]}\n`);
  const less = enough - 16;
  t.match(await sweep(less, 'run'), {
    code: 1,
    stderr: /cuda:0 has room for .*, and a sweep with 256 images .*give another --out/,
  });
  t.equal((await sweep(enough, 'run')).code, 0);
  t.equal(batchOf('run'), 256);
  t.same(JSON.parse(read('run', 'summary.json')), JSON.parse(summary));
  t.equal((await sweep(less, 'other')).code, 0);
  t.equal(batchOf('other'), 128);
});

t.test(
  'where a card has less memory than was reckoned with, smaller batches are tried',
  { skip },
  async (t) => {
    const folder = t.testdir({});
    const model = [example('resnet.onnx'), '--device', 'cuda', '--layers', 'fc'];
    const ownBytes = async (batch: number) => {
      const words = ['--plan-only', '--trials', '1', '--batch', String(batch), '--json'];
      const { stdout } = await critmapIn({}, 'inspect', ...model, ...words);
      const { tensors, values, batches } = JSON.parse(stdout).plan.bytes;
      return tensors + values + batches;
    };
    const card = 4096 * 2 ** 20;
    const hidden = card - Math.round(((await ownBytes(128)) + (await ownBytes(256))) / 2);
    const sweep = (name: string, hidden: number, ...words: string[]) =>
      critmapIn(
        { CRITMAP_EMULATED_CARDS: '4096', CRITMAP_EMULATED_HIDDEN: String(hidden) },
        ...['sweep', ...model, '--data', example('images.npz'), '--images', '96', '--trials', '1'],
        ...['--out', join(folder, name), ...words],
      );
    const read = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));
    const less = await sweep('less', hidden);
    t.equal(less.code, 0, less.stderr);
    t.match(less.stderr, /less memory than was reckoned with; batches of 128 are tried/);
    t.equal(read('less', 'run.json').environment.batch, 128);
    t.equal((await sweep('all', 0)).code, 0);
    t.equal(read('all', 'run.json').environment.batch, 256);
    const [mean, expected] = ['less', 'all'].map(
      (name) => read(name, 'summary.json').layers[0].criticality.mean as number,
    );
    t.ok(Math.abs(mean! - expected!) < 1e-4, `${mean} ${expected}`);
    const asked = await sweep('asked', hidden, '--batch', '256');
    t.match(asked, {
      code: 1,
      stderr: /cuda:0: .*cudaErrorMemoryAllocation.*; give a smaller --batch, fewer --layers at a time/,
    });
    const none = await sweep('none', card);
    t.match(none, { code: 1, stderr: /batches of 1 are tried/ });
    t.match(none.stderr, /cuda:0: .*cudaErrorMemoryAllocation/);
  },
);

const LOST = /^true cuda:0: .*(CUDA failure 700|cudaErrorIllegalAddress): emulated\. CUDA does nothing more/;

t.test('a card that failed for good is of no use to its process, which says so each time', { skip }, (t) => {
  // While a program is loaded, and in the first and a later batch.
  for (const fault of [3, 40, 120]) {
    const said = printed(
      { CRITMAP_EMULATED_FAULT: `${fault}` },
      `const engine = await loaded();
       for (let i = 0; i < 4; i++) say(String(await tried(() => batch(engine).then(() => 'rows'))));
       const [first, second] = await Promise.all([1, 2].map(() => tried(() => batch(engine))));
       say(first); say(second);
       await engine.close();
       say(await tried(() => { open(); return 'opened'; }));
       const host = await loaded({ cards: undefined });
       say(String((await batch(host)).length));`,
    );
    const { length } = said;
    const failed = said.slice(0, -1).filter((line) => line !== 'rows');
    t.match(failed[0], LOST, `${fault}`);
    t.strictSame(new Set(failed).size, 1, 'always the same');
    t.ok(failed.length >= 3 && length === 8, 'a batch, those after it, and another engine');
    t.match(said.at(-1), /^\d+$/, 'the processor goes on');
  }
  t.end();
});

t.test('a card without an engine says that it is lost, and is lost to engines too', { skip }, (t) => {
  const said = printed(
    { CRITMAP_EMULATED_FAULT: '5' },
    `const { openCard } = await import(${JSON.stringify(join(root, 'src/native/open-card.ts'))});
     const told = async (what) => {
       try { await what(); return 'fine'; } catch (error) { return [error.code, isDeviceLost(error), error.message].join(' '); }
     };
     const card = await openCard();
     for (let i = 0; i < 6; i++) say(await told(async () => { await card.buffer(4); await card.synchronize(); }));
     say(await told(() => openCard()));
     say(await tried(() => { open(); return 'opened'; }));`,
  );
  const lost =
    /^ERR_NATIVE true cuda:0: .*cudaErrorIllegalAddress: emulated\. CUDA does nothing more on this card for this process; another process may use it$/;
  t.equal(said[0], 'fine');
  t.match(said[5], lost);
  t.match(said[6], lost, 'another one');
  t.match(said[7], LOST, 'an engine');
  t.end();
});

t.test('doctor opens the card, and says why that fails', { skip }, async (t) => {
  const library = onnxruntimeLibrary();
  const folder = t.testdir({ 'libonnxruntime_providers_cuda.so': '' });
  symlinkSync(library, join(folder, basename(library)));
  const cardIn = async (variables: NodeJS.ProcessEnv) => {
    const { stdout } = await critmapIn(variables, 'doctor', '--json');
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    return checks.find(({ id }) => id === 'cuda')!;
  };
  const own = { CRITMAP_ONNXRUNTIME: folder };
  t.match(await cardIn({}), { state: 'note', remedy: /^To use the card, get .*for CUDA 13/ });
  t.match(await cardIn(own), { state: 'ok', found: /^cuda:0 emulated on the host/ });
  t.match(await cardIn({ ...own, NVIDIA_TF32_OVERRIDE: '1' }), {
    state: 'note',
    remedy: /^Mend this: cuda:0: NVIDIA_TF32_OVERRIDE=1 .*unset it/,
  });
});

t.test('a sweep whose card fails for good ends, and goes on to the same numbers', { skip }, async (t) => {
  const folder = t.testdir({});
  const sweep = (out: string, variables = {}) =>
    critmapIn(
      variables,
      ...['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--device', 'cuda'],
      ...['--images', '600', '--images-per-draw', 'all', '--batch', '20', '--layers', 'layer1.0.*,fc'],
      ...['--out', join(folder, out)],
    );
  const whole = await sweep('whole');
  t.equal(whole.code, 0, whole.stderr);
  const lines = (out: string) => readFileSync(join(folder, out, 'cells.ndjson'), 'utf8').split('\n').length;
  const broken = await sweep('broken', { CRITMAP_EMULATED_FAULT: '1500' });
  t.equal(broken.code, 1);
  t.match(
    broken.stderr,
    /resnet\.onnx: cuda:0: .*emulated\. CUDA does nothing more on this card for this process; what is complete is kept, repeat the command to go on\n$/,
  );
  t.ok(lines('broken') > 1 && lines('broken') < lines('whole'), `${lines('broken')} of ${lines('whole')}`);
  const again = await sweep('broken');
  t.equal(again.code, 0, again.stderr);
  const summary = (out: string) => readFileSync(join(folder, out, 'summary.json'), 'utf8');
  t.equal(summary('broken'), summary('whole'));
});

t.test(
  'a study whose card fails for good ends with that, and goes on when it is repeated',
  { skip },
  async (t) => {
    const folder = t.testdir({});
    const file = await smallStudy(folder);
    const out = join(folder, 'out');
    const study = (variables: NodeJS.ProcessEnv) =>
      critmapIn(variables, 'study', file, '--device', 'cuda', '--out', out);
    const begun = () =>
      readdirSync(out, { recursive: true }).filter((path) => /run\.json$/.test(String(path))).length;
    const broken = await study({ CRITMAP_EMULATED_FAULT: '1500' });
    t.equal(broken.code, 1);
    t.match(broken.stderr, /cuda:0: .*emulated\. CUDA does nothing more .*repeat the command to go on\n$/);
    t.equal(broken.stderr.match(/CUDA does nothing more/g)?.length, 2, 'of one sweep, and of the study');
    t.ok(begun() < 12, `${begun()} of 12 sweeps were begun`);
    const again = await study({});
    t.equal(again.code, 0, again.stderr);
    t.equal(begun(), 12);
  },
);
