/** `critmap inspect --device cuda`: the plan of a sweep on a card, which needs neither a card nor images. */
import t from 'tap';
import { native } from '../../src/native/addon.js';
import { example } from '../fixtures.js';
import { critmap } from './critmap.js';

const model = example('resnet.onnx');
const plan = (...args: string[]) => critmap('inspect', model, '--plan-only', ...args);
const isThere = native().cuda().devices.length > 0;

t.test('a card is planned for by its memory', async (t) => {
  const card = ['--device', 'cuda', '--device-memory', '8GB', '--json'];
  const { code, stdout } = await plan(...card, '--trials', '1');
  t.equal(code, 0);
  const { name, plan: found, layers } = JSON.parse(stdout);
  t.equal(name, 'resnet');
  t.equal(layers, undefined, 'nothing of the model besides');
  t.match(found, {
    device: 'cuda',
    precision: 'fp32',
    memory: { bytes: 8e9, from: 'asked' },
    batch: 256,
    imagesPerDraw: 'all',
    slices: 1,
    error: null,
  });
  t.ok(found.sessions <= 12 && found.sessions >= 1);
  const { total, ...parts } = found.bytes as Record<string, number>;
  t.equal(
    Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
    total,
  );
  t.ok(total! < 8e9);
  const { planned, least, whole, each, forward } = found.macs;
  t.ok(least <= planned && planned <= 1.1 * least && planned < whole, `${least} ${planned} ${whole}`);
  t.equal(
    each.reduce((sum: number, one: number) => sum + one, forward),
    planned,
  );

  const small = await plan('--device', 'cuda', '--device-memory', '1.6 GB');
  const [, batch = ''] = /batch (\d+), \d+ sessions? for/.exec(small.stdout) ?? [];
  t.ok(Number(batch) >= 1 && Number(batch) <= 256, small.stdout);
  t.match(small.stdout, /MB for CUDA itself.*for sessions/);
});

t.test('slices of draws share a batch', async (t) => {
  const shared = (...args: string[]) => plan('--device', 'cuda', '--device-memory', '8GB', ...args);
  const usual = JSON.parse((await shared('--json')).stdout).plan;
  t.match(usual, { batch: 256, imagesPerDraw: 8, slices: 32 });
  t.ok(usual.sessions <= 12);
  const { stdout } = await shared();
  t.match(stdout, '32 slices of 8 images share a batch: a reset layer begins slice by slice, all else');
  const uneven = await shared('--images-per-draw', '10', '--json');
  t.match(JSON.parse(uneven.stdout).plan, { batch: 250, imagesPerDraw: 10, slices: 25 });
  const few = await shared('--images-per-draw', '100', '--batch', '64', '--json');
  t.match(JSON.parse(few.stdout).plan, { batch: 64, imagesPerDraw: 100, slices: 1 });
  for (const words of [
    ['--trials', '3'],
    ['--reset', 'zero'],
    ['--group', 'cumulative-from-output'],
  ]) {
    const { stdout } = await shared(...words);
    t.notMatch(stdout, /share a batch/, words.join(' '));
  }
  for (const words of [
    ['random', 'zero'],
    ['zero', 'random'],
  ]) {
    const mixed = await shared(...words.flatMap((word) => ['--reset', word]), '--json');
    t.match(JSON.parse(mixed.stdout).plan, { batch: 256, slices: 32 }, words.join());
  }
  const cascade = JSON.parse((await shared('--group', 'cumulative-from-output', '--json')).stdout);
  t.match(cascade.plan, { batch: 8, slices: 1 });
  const alike = JSON.parse((await shared('--reset', 'zero', '--json')).stdout);
  t.match(alike.plan, { batch: 256, slices: 1 }, 'nothing is drawn');
});

t.test('what has no room says what it would take', async (t) => {
  const { code, stdout } = await plan('--device', 'cuda:1', '--device-memory', '200MB');
  t.equal(code, 0);
  t.match(
    stdout,
    /no plan: .*a card of 200 MB has room for 200 MB.*1 image a batch takes about .*another card/,
  );
  const asked = await plan('--device', 'cuda', '--device-memory', '200MB', '--batch', '64');
  t.match(asked.stdout, /with 64 images a batch.*give fewer --layers at a time, or another card/);
  t.notMatch(asked.stdout, 'may fit', 'no batch does');
});

t.test('without a card 16 GB are assumed, and said to be', { skip: isThere }, async (t) => {
  const { stdout } = await plan('--device', 'cuda', '--batch', '16', '--precision', 'fp16');
  t.match(stdout, /^plan {4}for a card of 16\.0 GB \(there is none here; .*in fp16/);
  t.match(stdout, /batch 16, /);
});

t.test('for the processor --batch counts, too', async (t) => {
  const { stdout } = await plan('--batch', '3', '--json');
  t.match(JSON.parse(stdout).plan, { batch: 3, graph: 'runtime' });
});

for (const [words, message] of [
  [['--images-per-draw', '4'], /--images-per-draw goes with --data SRC or --device cuda/],
  [['--device-memory', '8GB'], /--device-memory is for cards; .*--device cuda/],
  [['--precision', 'tf32'], /--precision tf32 is for cards/],
  [['--device', 'cuda', '--device-memory', '8'], /--device-memory 8 is not a size such as 8GB/],
  [['--device', 'cuda', '--device-memory', '0GB'], /is not a size/],
  [['--device', 'gpu'], /--device gpu: there is no such device/],
  [
    ['--device', 'cuda', '--data', 'synthetic:4'],
    /--device is of a plan for a model alone; leave out --data/,
  ],
  [['--batch', '4', '--data', 'synthetic:4'], /--batch is of a plan/],
] as const) {
  t.test(`refused: ${words.join(' ')}`, async (t) => {
    const { code, stderr } = await plan(...words);
    t.not(code, 0);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, 'in one line');
  });
}
