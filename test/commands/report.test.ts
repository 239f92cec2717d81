import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { critmap } from './critmap.js';

const layers = ['conv1', 'layer1.0.conv1', 'layer2.0.conv1', 'fc'];
const table = (models: readonly string[]) =>
  [
    'model_id,layer,trial,pred_cos_sim',
    ...models.flatMap((model, m) =>
      layers.flatMap((layer, l) =>
        [0, 1].map((trial) => `${model},${layer},${trial},${1 - (20 * l + 5 * m + trial * (1 + l)) / 100}`),
      ),
    ),
  ].join('\n');

const folder = t.testdir({
  'results.csv': table(['plain', 'robust', 'left-out']),
  'attributes.csv':
    'model,category,norm,budget\nplain,baseline,,\nrobust,adversarial,linf,4\nleft-out,,l2,1\n',
});
const at = (name: string) => join(folder, name);

t.test('report writes the page, the statistics and a file for each figure in each format', async (t) => {
  const words = ['--attributes', at('attributes.csv'), '--exclude', 'left-out', '--profile', 'robust'];
  const size = ['--width-mm', '120', '--font-size', '7'];
  const out = ['--out', at('new/R.html'), '--format', 'html,svg,pdf,png,json'];
  const { code, stdout, stderr } = await critmap('report', at('results.csv'), ...words, ...size, ...out);
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  t.match(readFileSync(at('new/R.html'), 'utf8'), /<h1>2 models<\/h1>.*Profile of robust/s);
  const statistics = JSON.parse(readFileSync(at('new/R.json'), 'utf8'));
  t.match(statistics, {
    overall: { models: 2, layers: 4, cells: 8 },
    difference: { to: 'plain' },
    attributes: [{ norm: 'linf', budget: 4, models: ['robust'] }],
  });
  t.equal(statistics.difference.max.toFixed(6), '5.000000');
  for (const figure of ['map', 'difference', 'spread', 'interval-width', 'stages', 'profile-robust']) {
    t.match(stdout, `R-${figure}.{svg,pdf,png}`);
    const start = (end: string, length: number) =>
      readFileSync(at(`new/R-${figure}.${end}`)).toString('latin1', 0, length);
    t.equal(start('svg', 4), '<svg', figure);
    t.equal(start('pdf', 5), '%PDF-', figure);
    t.equal(start('png', 4), '\x89PNG', figure);
    t.match(JSON.parse(readFileSync(at(`new/R-${figure}.vl.json`), 'utf8')).$schema, /vega-lite\/v6/);
  }
});

t.test('the format is what the file is called, html otherwise', async (t) => {
  t.equal((await critmap('report', at('results.csv'), '--out', at('only.json'))).code, 0);
  t.equal(JSON.parse(readFileSync(at('only.json'), 'utf8')).overall.models, 3);
  t.equal((await critmap('report', at('results.csv'), '--out', at('page'))).code, 0);
  t.match(readFileSync(at('page'), 'utf8'), /^<!doctype html>/);
});

t.test('wrong options and sources get one line, and nothing is written', async (t) => {
  writeFileSync(at('empty.csv'), '');
  for (const [words, message] of [
    [['--format', 'html,gif'], /--format "gif" is none of html, json, svg, pdf, png/],
    [['--width-mm', 'wide'], /--width-mm "wide" is not from 40 to 2000/],
    [['--font-size', '0'], /--font-size "0" is not from 3 to 40/],
    [['--profile', 'nobody'], /--profile "nobody" is none of the models/],
    [['--baseline', 'nobody'], /--baseline "nobody" is none of the models/],
    [['--reset', 'zero'], /--reset zero: there is only random/],
    [['--image-set', 'noisy'], /--image-set noisy goes with the directory of a study/],
  ] as const) {
    const { code, stderr } = await critmap('report', at('results.csv'), '--out', at('wrong.html'), ...words);
    t.not(code, 0);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
  }
  const none = await critmap('report', at('missing.csv'), '--out', at('wrong.html'));
  t.match(none.stderr, /missing\.csv/);
  t.equal(none.stderr.trim().split('\n').length, 1, none.stderr);
  t.notOk(existsSync(at('wrong.html')));
});
