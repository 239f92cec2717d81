/** One small sweep, shown in the terminal and picked from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { example } from '../fixtures.js';
import { critmap } from './critmap.js';

const run = join(t.testdir({ none: {} }), 'run');
const none = join(run, '..', 'none');
const swept = await critmap(
  ...['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--images', '48', '--quiet'],
  ...['--layers', 'conv1,layer3.2.*,fc', '--out', run],
);
t.equal(swept.code, 0, swept.stderr);

t.test('a report without a file is a table and a profile', async (t) => {
  const { code, stdout, stderr } = await critmap('report', run);
  t.equal(code, 0, stderr);
  t.match(stdout, /^model: resnet\nbaseline: top-1/);
  t.match(stdout, /mean of 4 /);
  t.match(stdout, /\nprofile {2}[▁▂▃▄▅▆▇█]{4}\n/);
  t.notMatch(stdout, '\u001B');
  const both = await critmap('report', run, run, '--title', 'Both');
  t.match(both.stdout, /^Both\n\n/);
  t.match(both.stdout, /\nresnet {6}[\d.]+ {2}[\d.]+ {2}[▁-█]{12}\nresnet #2 /);
});

t.test('picks go to stdout, what they are of to stderr', async (t) => {
  const { code, stdout, stderr } = await critmap('pick', run, '--above', '0', '--format', 'regex');
  t.equal(code, 0, stderr);
  t.equal(stdout, '^(?:conv1|layer3\\.2\\.conv1|layer3\\.2\\.conv2|fc)$\n');
  const { plan } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
  t.match(plan.model, { parameters: 139_414 });
  // 12 kernels of 3 x 3 over 28 x 28 positions of one channel, 48 x 10 weights once.
  t.equal(plan.layers[0].ownMacs, 12 * 9 * 28 * 28);
  t.equal(plan.layers[3].ownMacs, 480);
  t.match(
    stderr,
    /^4 of 4 layers \(the model has 18\) have a criticality above 0 %: 30\.2 % \(42\.1k of 139k\) of the layers' parameters, 1\d\.\d % \(\S+ of 13\.4M\)/,
  );

  const some = await critmap('pick', run, '--below', '50');
  const { unknown, names } = JSON.parse(some.stdout);
  const { layers } = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')) as {
    layers: { layer: string; criticality: { low: number; high: number } }[];
  };
  const of = (is: (low: number, high: number) => boolean) =>
    layers.filter(({ criticality: { low, high } }) => is(low, high)).map(({ layer }) => layer);
  t.strictSame(
    names,
    of((_, high) => high < 50),
  );
  t.strictSame(
    unknown,
    of((low, high) => low < 50 && high >= 50),
  );
});

t.test('what cannot be picked is one line', async (t) => {
  for (const [words, code, message] of [
    [[run], 2, /one threshold, either below or above/],
    [[run, '--below', '5', '--above', '60'], 2, /one threshold/],
    [[run, '--below', 'five'], 2, /from 0 to 100, got NaN/],
    [[run, '--below', '5', '--reset', 'zero'], 2, /no reset "zero"; it has random/],
    [[run, '--below', '5', '--model', 'a'], 2, /run is none/],
    [[none, '--below', '5'], 1, /not a finished critmap run/],
  ] as const) {
    const outcome = await critmap('pick', ...words);
    t.equal(outcome.code, code, outcome.stderr);
    t.match(outcome.stderr, message);
    t.equal(outcome.stderr.trim().split('\n').length, 1);
    t.equal(outcome.stdout, '');
  }
});
