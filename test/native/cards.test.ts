import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cards, devices } from '../../src/commands/devices.js';
import { native } from '../../src/native/addon.js';
import { advice, cardsOf, cudaLayout, cudnnSearch, deviceName } from '../../src/native/cards.js';
import { onnxruntimeLibrary } from '../../src/native/engine.js';
import { nativeEngine } from '../../src/native/open-engine.js';

const addon =
  process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url));
const found = native().cuda();

const lacking = (program: string) =>
  spawnSync(program, ['--version']).error ? `${program} is not on PATH` : false;
const withReadelf =
  process.platform === 'linux' ? lacking('readelf') : 'what an addon needs is read on Linux only';

t.test('the addon needs no CUDA library to load', { skip: withReadelf }, async (t) => {
  const { stdout } = spawnSync('readelf', ['-d', addon], { encoding: 'utf8' });
  const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
  t.ok(needed.length > 0);
  t.strictSame(
    needed.filter((name) => /cuda|cublas|cudnn|nvidia/i.test(name as string)),
    [],
  );
});

t.test('nothing of critmap is missing in the addon', { skip: lacking('nm') }, async (t) => {
  // A shared library links without what it calls, and ends the process when it calls it.
  const { stdout } = spawnSync('nm', ['-D', '--undefined-only', addon], { encoding: 'utf8' });
  t.notMatch(stdout, /critmap|cuda/i);
});

t.test('no symbol of a CUDA runtime is exported', { skip: lacking('nm') }, async (t) => {
  const { stdout } = spawnSync('nm', ['-D', '--defined-only', addon], { encoding: 'utf8' });
  t.notMatch(stdout, / (__)?cuda/i);
});

t.test('where there is no card there is a reason, and with one there is none', async (t) => {
  t.equal(found.devices.length === 0, typeof found.reason === 'string' && found.reason.length > 10);
  if (!found.compiled) t.match(found, { driver: null, runtime: null, reason: /no CUDA code/ });
  else t.match(found.runtime, /^\d+\.\d+$/);
  t.strictSame(native().cuda(), found, 'asking again gives the same');
});

t.test('devices lists the processor first and says why there is no card', async (t) => {
  const [cpu, ...rest] = await devices();
  t.match(cpu, { id: 'cpu', available: true });
  t.equal(rest.length, Math.max(1, found.devices.length));
  if (found.reason) t.match(rest[0], { id: 'cuda', available: false, detail: found.reason });
});

t.test('cards are listed with their memory, capability and versions', async (t) => {
  const card = { name: 'NVIDIA H200', memoryBytes: 150_000_000_000, computeCapability: '9.0' };
  const listed = cards({ compiled: true, driver: '13.0', runtime: '12.8', devices: [card, card] });
  t.match(listed, [
    { id: 'cuda:0', ...card, driver: '13.0', runtime: '12.8', detail: /139\.7 GiB.*9\.0.*13\.0.*12\.8/ },
    { id: 'cuda:1' },
  ]);
  const busy = { ...card, freeBytes: 100 * 2 ** 30 };
  const [first] = cards({ compiled: true, driver: '13.0', runtime: '12.8', devices: [busy] });
  t.match(first, { freeBytes: busy.freeBytes, detail: /139\.7 GiB \(100\.0 GiB free\)/ });
  const asked = native().cuda(found.devices.map((_, i) => i));
  for (const { freeBytes, memoryBytes } of asked.devices) t.ok(freeBytes! > 0 && freeBytes! <= memoryBytes);
  t.strictSame(native().cuda([7]).devices.length, found.devices.length, 'a card that is not there is none');
  t.throws(() => native().cuda('0' as never), TypeError);
  t.throws(() => native().cuda([-1]), RangeError);
});

t.test('a device that cannot compute is refused with the reason and what to do', async (t) => {
  for (const device of ['auto', 'cpu']) t.equal(cardsOf(device), undefined);
  const none = ['cuda', 'cuda:0', 'cuda:all', 'cuda:0,1'];
  for (const device of ['cuda:9999', 'cuda:0,9999', ...(found.reason ? none : [])]) {
    t.throws(() => cardsOf(device), {
      code: 'ERR_NATIVE',
      message: new RegExp(`^--device ${device}: .*(GPU|CUDA|driver|card).*--device cpu\\.$`),
    });
  }
  for (const device of [
    'tpu',
    'cuda:',
    'cuda:0,',
    'cuda:all,0',
    'cuda:0 1',
    'cuda:-1',
    'cuda:99999',
    'CUDA',
  ]) {
    t.throws(() => cardsOf(device), {
      code: 'ERR_OPTION',
      message: `--device ${device}: there is no such device; give auto, cpu, cuda, cuda:N, several as cuda:0,1, or cuda:all`,
    });
  }
  for (const device of ['cuda:0,0', 'cuda:1,0,2,0', 'cuda:00,0']) {
    t.throws(() => cardsOf(device), {
      code: 'ERR_OPTION',
      message: `--device ${device} names card 0 twice; name each card once`,
    });
  }
  t.match(advice({ devices: [], compiled: false }), /CUDA toolkit/);
  t.match(advice({ devices: [], compiled: true }), /driver/);
  t.equal(deviceName([1, 0]), 'cuda:1,0');
  t.equal(deviceName(undefined), 'cpu');
});

t.test("cuDNN's search and layout are the environment's words, and only those that there are", async (t) => {
  const before = process.env.CRITMAP_CUDNN_SEARCH;
  const layout = process.env.CRITMAP_CUDA_LAYOUT;
  t.teardown(() => {
    if (before === undefined) delete process.env.CRITMAP_CUDNN_SEARCH;
    else process.env.CRITMAP_CUDNN_SEARCH = before;
    if (layout === undefined) delete process.env.CRITMAP_CUDA_LAYOUT;
    else process.env.CRITMAP_CUDA_LAYOUT = layout;
  });
  for (const [word, meaning] of [
    ['', 'nchw'],
    ['nhwc', 'nhwc'],
  ]) {
    process.env.CRITMAP_CUDA_LAYOUT = word;
    t.equal(cudaLayout(), meaning);
  }
  process.env.CRITMAP_CUDA_LAYOUT = 'NHWC';
  t.throws(cudaLayout, { code: 'ERR_OPTION', message: /^CRITMAP_CUDA_LAYOUT=NHWC is not nchw, nhwc; / });
  for (const [word, meaning] of [
    ['', 'heuristic'],
    ['exhaustive', 'exhaustive'],
    ['default', 'default'],
  ]) {
    process.env.CRITMAP_CUDNN_SEARCH = word;
    t.equal(cudnnSearch(), meaning);
  }
  process.env.CRITMAP_CUDNN_SEARCH = 'EXHAUSTIVE';
  t.throws(cudnnSearch, {
    code: 'ERR_OPTION',
    message: /^CRITMAP_CUDNN_SEARCH=EXHAUSTIVE is not heuristic, /,
  });
});

t.test("what NVIDIA's libraries read once is told before, or the card refused", async (t) => {
  const { decideTf32 } = native().internal!;
  const set = { forbid: true, refusal: '' };
  const fine = { forbid: false, refusal: '' };
  for (const exact of ['fp32', 'fp16']) {
    t.strictSame(decideTf32(exact, null, null), set);
    t.strictSame(decideTf32(exact, null, ''), set);
    t.strictSame(decideTf32(exact, null, '0'), fine);
    t.match(decideTf32(exact, null, '1').refusal, /^NVIDIA_TF32_OVERRIDE=1 .* unset it, or .*tf32/);
    // What it was set to then.
    for (const before of ['fp32', 'fp16']) t.strictSame(decideTf32(exact, before, '0'), fine);
    t.match(decideTf32(exact, 'tf32', null).refusal, /has opened a card for tf32.* in another process$/);
    t.match(decideTf32('tf32', exact, '0').refusal, /has opened a card for .*compute in tf32 in another/);
  }
  for (const value of [null, '', '1']) t.strictSame(decideTf32('tf32', null, value), fine);
  t.strictSame(decideTf32('tf32', 'tf32', null), fine);
  t.match(decideTf32('tf32', null, '0').refusal, /^NVIDIA_TF32_OVERRIDE=0 .*forbids TF32; unset it/);
});

t.test('the library may be named by its folder, as one with providers is unpacked', async (t) => {
  const before = process.env.CRITMAP_ONNXRUNTIME;
  t.teardown(() => {
    if (before === undefined) delete process.env.CRITMAP_ONNXRUNTIME;
    else process.env.CRITMAP_ONNXRUNTIME = before;
  });
  delete process.env.CRITMAP_ONNXRUNTIME;
  const file = onnxruntimeLibrary();
  process.env.CRITMAP_ONNXRUNTIME = dirname(file);
  t.equal(onnxruntimeLibrary(), file);
  process.env.CRITMAP_ONNXRUNTIME = t.testdir();
  t.throws(() => onnxruntimeLibrary(), { code: 'ERR_NATIVE', message: /CRITMAP_ONNXRUNTIME.*onnxruntime/ });
});

t.test('an engine on a card that is not there is refused, with why', async (t) => {
  const open = (cards: unknown, options = {}) =>
    nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, cards: cards as number[], ...options });
  t.throws(() => open([9999]), { message: found.compiled ? /^cuda:9999: .*CUDA/s : /CUDA/ });
  if (
    found.compiled &&
    !existsSync(join(dirname(onnxruntimeLibrary()), 'libonnxruntime_providers_cuda.so')) &&
    found.reason
  ) {
    t.throws(() => open([0]), {
      message: /^cuda:0: ONNX Runtime .* cannot use a GPU: .*CRITMAP_ONNXRUNTIME/s,
    });
  }
  t.throws(() => open('0'), { name: 'TypeError', message: /options.cards/ });
  t.throws(() => open(['0']), { name: 'TypeError', message: /options.cards\[0\]/ });
  t.throws(() => open([]), { name: 'RangeError', message: /options.cards must have 1 to/ });
  t.throws(() => open(Array(2000)), { name: 'RangeError', message: /options.cards must have 1 to/ });
  t.throws(() => open([-1]), { name: 'RangeError', message: /options.cards\[0\]/ });
  t.throws(() => open([0, 2 ** 40]), { name: 'RangeError', message: /options.cards\[1\]/ });
  t.throws(() => open([3, 3]), { name: 'RangeError', message: /options.cards\[1\] must be another card/ });
  t.throws(() => open([0], { precision: 1 }), { name: 'TypeError', message: /options.precision/ });
  t.throws(() => open([0], { precision: 'fp8' }), {
    name: 'RangeError',
    message: 'options.precision must be fp32, tf32 or fp16',
  });
  t.throws(() => open([0], { layout: 'last' }), { name: 'RangeError', message: /options.layout must be/ });
  t.throws(() => open([0], { cudnnSearch: 'best' }), { name: 'RangeError', message: /options.cudnnSearch/ });
});
