import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { example } from '../fixtures.js';
import { critmap } from './critmap.js';

const reference = (name: string) =>
  fileURLToPath(new URL(`../../../shared/reference/${name}`, import.meta.url));
const lacksReference = existsSync(reference('results.csv')) ? false : 'the published raw data is not here';

const sweep = (model: string, out: string, ...more: string[]) =>
  critmap(
    ...['sweep', example(model), '--data', example('images.npz'), '--images', '80', '--quiet'],
    ...['--layers', 'conv1,fc', '--out', out],
    ...more,
  );

t.test('runs are compared in a table, as CSV and as JSON', async (t) => {
  const dir = t.testdir({});
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  await sweep('resnet.onnx', a);
  await sweep('resnet-init.onnx', b);
  const table = join(dir, 'differences.csv');
  const shown = await critmap('compare', a, b, '--baseline', 'resnet', '--out', table);
  t.equal(shown.code, 0, shown.stderr);
  t.match(shown.stdout, /2 models, 2 differences to resnet; p < 0\.05: 2/);
  t.match(shown.stdout, /resnet-init +conv1 +0\.0 +\d\d\.\d +−\d\d\.\d \(−\d\d\.\d to −\d\d\.\d\) .* paired/);
  const [head, ...rows] = readFileSync(table, 'utf8').trim().split('\n');
  t.match(head, /^model,category,layer,reset,mean,baselineMean,difference,low,high,test/);
  t.equal(rows.length, 2);
  const { stdout } = await critmap('compare', a, b, '--baseline', 'resnet', '--json');
  t.match(JSON.parse(stdout), { baseline: 'resnet', differences: [{ test: 'paired' }, { test: 'paired' }] });
});

t.test('of several resets every row names its own', async (t) => {
  const dir = t.testdir({});
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  await sweep('resnet.onnx', a, '--reset', 'random', '--reset', 'zero');
  await sweep('resnet-init.onnx', b, '--reset', 'random', '--reset', 'zero');
  const { stdout, stderr } = await critmap('compare', a, b, '--baseline', 'resnet');
  t.match(stdout, /resnet-init +conv1 random /, stderr);
  t.match(stdout, /resnet-init +conv1 zero /);
});

t.test('what cannot be compared is one line', async (t) => {
  const dir = t.testdir({ none: {} });
  const out = join(dir, 'a');
  await sweep('resnet.onnx', out);
  for (const [words, message] of [
    [[out], /^critmap: .*\n$/],
    [[out, out], /two models are called a;/],
    [[out, join(dir, 'none')], /none is not a finished critmap run/],
    [[out, join(dir, 'missing')], /missing/],
    [[out, '--confidence', '2'], /--confidence 2 is not between 0 and 1/],
    [[out, '--limit', '-1'], /--limit -1 is not a whole number/],
  ] as const) {
    const { code, stderr } = await critmap('compare', ...words);
    t.ok(code === 1 || code === 2, stderr);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1);
  }
});

t.test('the published raw data gives the published counts', { skip: lacksReference }, async (t) => {
  const categories = JSON.parse(readFileSync(reference('r50_categories.json'), 'utf8'));
  const entries = Object.entries(categories as Record<string, unknown>);
  const [baseline] = entries.flatMap(([key, value]) =>
    key === 'baseline' ? [value].flat() : value === 'baseline' ? [key] : [],
  ) as string[];
  const { code, stdout, stderr } = await critmap(
    ...['compare', reference('results.csv'), '--baseline', baseline!],
    ...['--categories', reference('r50_categories.json'), '--accuracies', reference('accuracies.json')],
    ...['--exclude', 'resnet50_frozen_random', '--limit', '3'],
  );
  t.equal(code, 0, stderr);
  t.match(stdout, /50 models, 2646 differences/);
  t.match(stdout, /p < 0\.05: 1232, after Benjamini-Hochberg 893, after Holm 93/);
  t.match(stdout, /accuracy .* 50 /);
});
