import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { summarySchema } from '../../src/run/summary.js';
import { parseSweepEvent } from '../../src/sweep/events.js';
import { example, fixture, truth } from '../fixtures.js';
import { critmap, outcome, start } from './critmap.js';

const model = example('resnet.onnx');
const data = example('images.npz');

t.test('inspect --json lists the layers with PyTorch names and shapes', async (t) => {
  const { code, stdout, stderr } = await critmap('inspect', model, '--json');
  t.equal(code, 0, stderr);
  const { layers, input, output, plan } = JSON.parse(stdout);
  t.match(plan, { graph: 'runtime', error: null, macs: { forward: Number, speedUp: Number } });
  t.ok(plan.macs.speedUp > 1.5 && plan.cuts.length >= 2 && plan.workerBytes > 0);
  t.match(input, { name: 'images', channels: 1, height: 28, width: 28, mean: [Number], std: [Number] });
  t.match(output, { name: 'logits', classes: 10 });
  t.equal(layers.length, 18);
  t.match(
    layers.map(({ name, shape }: { name: string; shape: number[] }) => `${name} ${shape.join('x')}`),
    ['conv1 12x1x3x3'],
  );
  const byName = new Map(layers.map((layer: { name: string }) => [layer.name, layer]));
  t.match(byName.get('layer2.0.downsample.0'), {
    op: 'Conv',
    shape: [24, 12, 1, 1],
    norm: true,
    bias: false,
  });
  t.match(byName.get('layer3.2.conv2'), { shape: [48, 48, 3, 3] });
  t.match(byName.get('fc'), { op: 'Gemm', shape: [10, 48], bias: true });

  const other = JSON.parse((await critmap('inspect', fixture('vit.onnx'), '--json')).stdout);
  t.strictSame(
    other.layers.map(({ name }: { name: string }) => name),
    truth('vit').layers.map(({ name }) => name),
  );
});

t.test('inspect, devices, --help and --version read well', async (t) => {
  const { stdout } = await critmap('inspect', model);
  t.match(stdout, /^input +images: any x 1 x 28 x 28/m);
  t.match(stdout, /^layer1\.0\.conv1 +Conv +12x12x3x3 +1,296 +kaiming-normal\(fan-out\) +BatchNorm$/m);
  t.match(stdout, /^plan +batch \d+ .*\n +memory\), \d+ threads/m);
  t.match(stdout, /MACs an image; untouched and with every layer reset once it takes .*, not .*: 1\.\d+ x/);
  const devices = JSON.parse((await critmap('devices', '--json')).stdout);
  t.match(devices, [
    { id: 'cpu', available: true },
    { id: 'cuda', available: false, detail: String },
  ]);
  t.match((await critmap('devices')).stdout, /^cpu +yes/m);
  const help = await critmap('--help');
  t.equal(help.code, 0);
  for (const command of ['sweep', 'inspect', 'report', 'devices', 'demo']) t.match(help.stdout, command);
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.equal((await critmap('--version')).stdout.trim(), version);
});

t.test('a sweep prints the table, and with --json ends with the summary that is in the run', async (t) => {
  const dir = t.testdir({});
  const args = ['sweep', model, '--data', data, '--images', '100', '--trials', '2', '--layers', 'conv1,fc'];
  const text = await critmap(...args, '--out', join(dir, 'a'));
  t.equal(text.code, 0, text.stderr);
  t.match(text.stdout, /baseline: top-1 9\d/);
  t.match(text.stdout, /^conv1 +Conv/m);
  t.match(text.stdout, join(dir, 'a', 'report.html'));
  t.notOk(text.stdout.includes('\u001b'), 'no colour into a pipe');
  t.match(text.stderr, /layer-images\/s/, 'plain progress lines into a log');
  t.ok(existsSync(join(dir, 'a', 'report.html')));

  const json = await critmap(...args, '--out', join(dir, 'b'), '--json', '--quiet');
  t.equal(json.stderr, '');
  const last = parseSweepEvent(json.stdout.trimEnd().split('\n').at(-1)!);
  const summary = last.event === 'done' ? last.summary : null;
  t.strictSame(summary, JSON.parse(readFileSync(join(dir, 'b', 'summary.json'), 'utf8')));
  t.equal(
    readFileSync(join(dir, 'a', 'summary.json'), 'utf8'),
    readFileSync(join(dir, 'b', 'summary.json'), 'utf8'),
  );

  const report = await critmap(
    'report',
    join(dir, 'a'),
    join(dir, 'b'),
    '--out',
    join(dir, 'sub', 'both.html'),
  );
  t.equal(report.code, 0, report.stderr);
  t.match(readFileSync(join(dir, 'sub', 'both.html'), 'utf8'), /<!doctype html>/i);
});

t.test(
  'Ctrl-C keeps what is finished and exits 130; kill -9 loses nothing; the same command ends the same',
  async (t) => {
    const dir = t.testdir({});
    const args = ['sweep', model, '--data', data, '--images', '400', '--trials', '1', '--layers', 'layer*'];
    const whole = await critmap(...args, '--out', join(dir, 'whole'), '--quiet');
    t.equal(whole.code, 0, whole.stderr);
    const expected = readFileSync(join(dir, 'whole', 'summary.json'), 'utf8');

    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const out = join(dir, signal);
      const child = start(...args, '--out', out, '--quiet');
      const ended = outcome(child);
      await lines(join(out, 'cells.ndjson'), 3);
      child.kill(signal);
      const { code, stderr } = await ended;
      t.equal(code, signal === 'SIGINT' ? 130 : null);
      if (signal === 'SIGINT') {
        t.match(stderr, /repeat the command to go on with/);
        t.equal(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')).status, 'interrupted');
        summarySchema.parse(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));
        t.equal(
          (await critmap('report', out, '--out', join(dir, 'partial.html'))).code,
          0,
          'a partial run reads',
        );
      } else {
        const read = await critmap('report', out, '--out', join(dir, 'killed.html'));
        t.match(read.stderr, /repeat its sweep command/);
      }
      const again = await critmap(...args, '--out', out, '--quiet');
      t.equal(again.code, 0, again.stderr);
      t.equal(readFileSync(join(out, 'summary.json'), 'utf8'), expected, signal);
    }
  },
);

/** Waits until a file has some lines. */
async function lines(path: string, count: number): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (existsSync(path) && readFileSync(path, 'utf8').split('\n').length > count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${path} did not get ${count} lines`);
}

t.test('options with values are not taken without one', async (t) => {
  for (const option of ['--norm', '--parts', '--reset']) {
    const asked = ['sweep', example('resnet.onnx'), '--data', example('images.npz'), option];
    const { code, stderr } = await critmap(...asked, '--out', join(t.testdirName, 'none'));
    t.equal(code, 2);
    t.match(stderr, /Not enough arguments/);
  }
});

t.test('inspect --reset refuses what a sweep refuses, and says of how many it is', async (t) => {
  const path = example('resnet.onnx');
  for (const [option, value] of [
    ['norm', 'reset'],
    ['parts', 'bias'],
  ] as const) {
    const asked = ['inspect', path, '--group', 'block', '--reset', 'skip', `--${option}`, value];
    const { code, stderr } = await critmap(...asked);
    t.equal(code, 2);
    t.match(stderr, `--reset skip resets no parameters; leave out --${option} ${value}`);
  }
  const of = ['--data', example('images.npz'), '--images', '16', '--layers', 'conv1,fc'];
  const both = await critmap('inspect', path, ...of, '--reset', 'zero', '--reset', 'random');
  t.match(both.stdout, '64 passes (4 resets of 2 layers x 16 images)');
  const lists = ['--reset', 'prune=0.1,0.3', '--reset', `interpolate=${example('resnet-init.onnx')}@0,1`];
  t.match((await critmap('inspect', path, ...of, ...lists)).stdout, '128 passes (8 resets of 2 layers');
  t.match(await critmap('inspect', path, '--reset', 'quantize=int8,int4'), { code: 0, stderr: '' });
  const joined = await critmap('inspect', path, '--reset', 'skip,mean');
  const out = ['--out', join(t.testdirName, 'none')];
  t.match(joined, { code: 2, stderr: /--reset skip,mean: there is no such reset/ });
  t.equal((await critmap('sweep', path, ...of, '--reset', 'skip,mean', ...out)).stderr, joined.stderr);
  const drawn = await critmap('inspect', path, ...of, '--reset', 'random', '--trials', '3');
  t.match(drawn.stdout, '96 passes (2 layers x 16 images x 3 draws)');
});

t.test('inspect --reset lists what can be skipped, and what cannot with its reason', async (t) => {
  const path = example('resnet.onnx');
  const { stdout } = await critmap('inspect', path, '--group', 'block', '--reset', 'skip');
  t.match(stdout, /reset together .*\nlayer1\.0 .*2 layers: layer1\.0\.conv1 to layer1\.0\.conv2\n/);
  t.match(
    stdout,
    /cannot be tested +reset\nconv1 +skip +its input and output have different shapes\nfc +skip/,
  );
  const about = JSON.parse(
    (await critmap('inspect', path, '--group', 'block', '--reset', 'skip', '--reset', 'mean', '--json'))
      .stdout,
  );
  t.equal(about.groups.length, 9);
  t.match(about.leftOut, [
    { name: 'conv1', op: 'Conv', reset: 'skip' },
    { name: 'fc', op: 'Gemm', reset: 'skip' },
  ]);
});
