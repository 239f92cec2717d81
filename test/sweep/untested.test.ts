/** What cannot be tested by itself is said, with the reason, wherever a run is looked at. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadModel, mergeRuns, modelInput, openImages, reportHtml, sweep } from '../../src/index.js';
import { layerTable } from '../../src/report/table.js';
import { fixture } from '../fixtures.js';
import { node, value, weight, writeGraph } from '../onnx/graphs.js';

t.test('a head that leads elsewhere is not scored, and not missing without a word', async (t) => {
  const dir = t.testdir({});
  const path = join(dir, 'm.onnx');
  const pooled = (from: string, to: string) => [
    node('GlobalMaxPool', [from], `${to}.pool`),
    node('Flatten', [`${to}.pool`], `${to}.flat`),
  ];
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Conv', ['c', 'aux.conv.weight'], 'a', { kernel_shape: [1, 1] }),
      ...pooled('a', 'aux'),
      node('Gemm', ['aux.flat', 'aux.fc.weight'], 'other', { transB: 1 }),
      node('Conv', ['c', 'conv2.weight'], 'd', { kernel_shape: [1, 1] }),
      ...pooled('d', 'main'),
      node('Gemm', ['main.flat', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      weight('conv.weight', [4, 2, 3, 3], -30),
      weight('conv2.weight', [4, 4, 1, 1], -3),
      weight('fc.weight', [3, 4], -5),
      weight('aux.conv.weight', [4, 4, 1, 1], -3),
      weight('aux.fc.weight', [3, 4], -5),
    ],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 3]), value('other', [null, 3])],
  });
  const model = await loadModel(path, { output: 'logits' });
  t.strictSame(
    model.layers.map(({ name }) => name),
    ['conv', 'conv2', 'fc'],
  );
  t.equal(model.leftOut.length, 2);
  const why = 'what is compared does not depend on it';
  t.match(model.leftOut, [
    { op: 'Conv', why },
    { op: 'Gemm', why },
  ]);
  t.match(
    model.warnings.join('\n'),
    /2 operation\(s\) with a stored tensor are no layers .*what is compared does not/,
  );

  const images = await openImages('synthetic:12', { ...modelInput(model), mean: [0, 0], std: [1, 1] });
  t.teardown(() => images.close());
  const whole = join(dir, 'whole');
  const { summary } = await sweep(model, images, { out: whole });
  t.strictSame(summary.leftOut, model.leftOut);
  t.match(
    layerTable(summary, { color: false }),
    /Not tested: \S+, \S+; what is compared does not depend on it\./,
  );
  t.match(await reportHtml([summary]), /<p>Not tested: /);
  const shards = [1, 2].map((index) => join(dir, `shard-${index}`));
  for (const [i, out] of shards.entries())
    await sweep(model, images, { out, shard: { index: i + 1, of: 2 } });
  await mergeRuns(shards, join(dir, 'merged'));
  const read = (out: string) => readFileSync(join(out, 'summary.json'), 'utf8');
  t.equal(read(join(dir, 'merged')), read(whole));
});

t.test('a tied weight is said to be reset wherever it is used', async (t) => {
  const model = await loadModel(fixture('tied.onnx'));
  const images = await openImages('synthetic:8', modelInput(model));
  t.teardown(() => images.close());
  const { summary } = await sweep(model, images);
  const tied = model.layers.filter(({ uses }) => uses > 1);
  t.ok(tied.length > 0);
  t.strictSame(
    summary.layers.filter(({ uses }) => uses !== undefined).map(({ layer, uses }) => [layer, uses]),
    tied.map(({ name, uses }) => [name, uses]),
  );
  t.match(
    layerTable(summary, { color: false }),
    new RegExp(`Used in several places, which were reset\\s+together: ${tied[0]!.name} in ${tied[0]!.uses}`),
  );
});
