import t from 'tap';
import { baselineLine, blockBar, layerTable } from '../../src/report/table.js';
import { columnsOf } from '../../src/report/text.js';
import { type Estimate, noEstimate } from '../../src/run/summary.js';
import { exampleSummary, resnet18Layers, resnet50Layers, vitLayers } from './example.js';

const lines = (text: string): string[] => text.split('\n');

t.test('the table of layers', async (t) => {
  t.test('has a title line, a row per layer in graph order, a rule and the mean over layers', async (t) => {
    const summary = exampleSummary(resnet50Layers);
    const rows = lines(layerTable(summary, { color: false }));
    t.equal(rows.length, 1 + 54 + 1 + 1 + 1);
    t.match(rows[0], /^layer +op +shape +params +criticality % +agree % +top-1 %$/);
    t.match(rows[1], /^conv1 +Conv +64x3x7x7 +9\.41k +\d+\.\d\d ± \d+\.\d\d +█/);
    t.match(rows[54], /^fc +Gemm +1000x2048 +2\.05M /);
    const mean = summary.layers.reduce((sum, layer) => sum + layer.criticality.mean!, 0) / 54;
    t.match(rows[56], new RegExp(`^mean of 54 +${mean.toFixed(2)} `));
    t.equal(rows[57], 'Criticality with 95 % intervals of the mean over new draws and images.');
  });

  t.test('is aligned: numbers of one column end at one place', async (t) => {
    const rows = lines(layerTable(exampleSummary(resnet50Layers), { color: false }));
    const table = rows.slice(0, -1).map((row) => row.length);
    t.same(new Set(table), new Set([rows[0]!.length]));
  });

  t.test('has no ANSI sequence when colour is off', async (t) => {
    t.notMatch(layerTable(exampleSummary(resnet18Layers), { color: false }), '\u001B');
  });

  t.test('differs only by ANSI sequences when colour is on', async (t) => {
    const summary = exampleSummary(vitLayers);
    const colored = layerTable(summary, { color: true });
    t.match(colored, '\u001B[1mlayer\u001B[0m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
    t.equal(colored.replace(/\u001B\[\d+m/g, ''), layerTable(summary, { color: false }));
  });

  t.test('fits 100 columns unless told otherwise, with long names shortened by …', async (t) => {
    const rows = lines(layerTable(exampleSummary(vitLayers), { color: false }));
    t.ok(rows.every((row) => columnsOf(row) <= 100));
    t.match(rows[2], /^….*0.*query /);
  });

  t.test('fits every width from 1, and keeps criticality longest', async (t) => {
    const summary = exampleSummary(vitLayers);
    summary.layers[3]!.invalid = 7;
    for (let width = 1; width <= 140; width++) {
      const widest = Math.max(...lines(layerTable(summary, { color: false, width })).map(columnsOf));
      if (widest > width) t.fail(`${widest} columns where ${width} are allowed`);
    }
    t.match(lines(layerTable(summary, { color: false, width: 40 }))[0], /^layer +criticality %/);
  });

  t.test('refuses a width that is not a positive integer', async (t) => {
    for (const width of [0, -1, 1.5, Number.NaN]) {
      t.throws(() => layerTable(exampleSummary(resnet18Layers), { color: false, width }), RangeError);
    }
  });

  t.test('prints – for what was not measured, and leaves it out of the mean', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 2));
    summary.layers[0] = { ...summary.layers[0]!, criticality: noEstimate, agreement: noEstimate, top1: null };
    summary.layers[1]!.criticality = { ...noEstimate, mean: 12 };
    const rows = lines(layerTable(summary, { color: false }));
    t.match(rows[1], / – +– +–$/);
    t.match(rows[2], / 12\.00 +█▎ /);
    t.match(rows[4], /^mean of 2 +12\.00 /);
  });

  t.test('shows low–high in all rows where an interval does not lie around its mean', async (t) => {
    const summary = exampleSummary(resnet18Layers);
    summary.layers[0]!.criticality = { ...noEstimate, mean: 1, low: 0, high: 3.5 };
    const rows = lines(layerTable(summary, { color: false }));
    t.match(rows[1], ' 1.00 (0.00–3.50) ');
    t.notMatch(rows.join('\n'), '±');
  });

  t.test('has no accuracy column without labels', async (t) => {
    t.notMatch(layerTable(exampleSummary(resnet18Layers, { labels: false }), { color: false }), 'top-1');
  });

  t.test('has one mean per kind of reset', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 2));
    summary.layers.push(...summary.layers.map((layer) => ({ ...layer, reset: 'zero' })));
    const text = layerTable(summary, { color: false });
    t.match(text, /^conv1 · zero /m);
    t.match(text, /^mean of 2 · random /m);
    t.match(text, /^mean of 2 · zero /m);
  });

  t.test('names layers with invalid outputs in a note', async (t) => {
    const summary = exampleSummary(resnet18Layers);
    t.notMatch(layerTable(summary, { color: false }), '!');
    summary.layers[1]!.invalid = 4;
    const note = lines(layerTable(summary, { color: false }))
      .slice(-2)
      .join(' ');
    t.match(note, '! 4 outputs were NaN or infinite (layer1.0.conv1 4): counted as disagreement');
  });

  t.test('counts a layer without any valid output as 100 % critical in the mean, and says so', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 2));
    const [first, second] = summary.layers;
    summary.layers = [{ ...first!, invalid: first!.passes, criticality: noEstimate }, second!];
    const text = layerTable(summary, { color: false });
    t.match(lines(text)[4], (50 + second!.criticality.mean! / 2).toFixed(2));
    t.match(
      text.replaceAll('\n', ' '),
      'counted as disagreement and as 100 % critical, left out of the other means; 1 had no valid output at all.',
    );
  });

  t.test('says what its intervals cover, once for each kind', async (t) => {
    const note = (kinds: readonly Estimate['interval'][]) => {
      const summary = exampleSummary(resnet18Layers.slice(0, kinds.length));
      for (const [i, interval] of kinds.entries()) summary.layers[i]!.criticality.interval = interval;
      return lines(layerTable(summary, { color: false, width: 200 })).slice(kinds.length + 3);
    };
    t.same(note(['student', 'crossed']), [
      'Criticality with 95 % intervals of the mean over new draws and images.',
    ]);
    t.same(note(['betting']), [
      'Criticality with 95 % intervals of the mean over new draws and images, valid whenever one looks.',
    ]);
    t.same(note(['student', 'images']), [
      'Criticality with 95 % intervals of the mean over new draws and images, or over new images, ' +
        'under the draw that was made.',
    ]);
    t.same(note([null]), []);
    const drawless = exampleSummary(resnet18Layers.slice(0, 1));
    Object.assign(drawless.layers[0]!, { reset: 'zero' }).criticality.interval = 'images';
    t.match(
      layerTable(drawless, { color: false, width: 200 }),
      /95 % intervals of the mean over new images\.$/m,
      'a reset without draws speaks of none',
    );
    drawless.layers[0]!.criticality.interval = 'betting';
    t.match(
      layerTable(drawless, { color: false, width: 200 }),
      /95 % intervals of the mean over new images, valid whenever one looks\.$/m,
      'however they were made',
    );
    drawless.layers.push(...exampleSummary(resnet18Layers.slice(0, 1)).layers);
    drawless.layers[0]!.criticality.interval = 'images';
    t.match(
      layerTable(drawless, { color: false, width: 200 }),
      /of the mean over new draws and images, or over new images where a reset draws nothing\.$/m,
    );
  });

  t.test('warns of random resets with a single draw, not of resets that have but one', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 2), { draws: 1 });
    const warning = (text: string) => t.match(layerTable(summary, { color: false, width: 200 }), text);
    warning('! 2 rows are of a single draw: another draw may give quite another number.');
    summary.layers[0]!.reset = 'zero';
    warning('! One row is of a single draw:');
    summary.layers[1]!.reset = 'donor=other.onnx';
    t.notMatch(layerTable(summary, { color: false, width: 200 }), 'single draw');
  });

  t.test('of a sweep with a tolerance has passes, and says where layers stopped', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 3));
    t.notMatch(layerTable(summary, { color: false }), 'passes');
    summary.options.tolerance = 2;
    for (const [i, stoppedAt] of [800, null, 2400].entries()) {
      Object.assign(summary.layers[i]!, { stoppedAt, passes: stoppedAt ?? 10_000 });
    }
    const rows = lines(layerTable(summary, { color: false }));
    t.match(rows[0], / agree % +passes +top-1 %$/);
    t.match(rows[2], / 10,000 /);
    t.match(rows[5], / 13,200 /, 'what all of it has cost');
    t.ok(rows.includes('2 of 3 known to ± 2 points after 800 to 2,400 images.'));
    const count = summary.data.images.toLocaleString('en');
    t.match(
      rows.join(' ').replace(/\s+/g, ' '),
      `! 1 not known to ± 2 points after all ${count} images; give more, with --images or --max-images but not both, where the data have more.`,
    );
  });

  t.test('cannot be steered by a layer name', async (t) => {
    const summary = exampleSummary([{ layer: 'a\u001B[2J\nmean of 9', op: '\u009B31m', shape: [1] }]);
    const rows = lines(layerTable(summary, { color: false }));
    t.equal(rows.length, 1 + 1 + 1 + 1 + 1);
    t.match(rows[1], /^a\uFFFD\[2J\uFFFDmean of 9 +\uFFFD31m /);
  });

  t.test('works for one layer and for none', async (t) => {
    const one = layerTable(exampleSummary(resnet18Layers.slice(0, 1)), { color: false });
    t.equal(lines(one).length, 1 + 1 + 1 + 1 + 1);
    t.doesNotThrow(() => layerTable(exampleSummary([]), { color: false }));
  });
});

t.test('the bar', async (t) => {
  t.test('has eighths of a cell and never hides a value above 0', async (t) => {
    t.equal(blockBar(100, 4), '████');
    t.equal(blockBar(50, 4), '██');
    t.equal(blockBar(28.125, 4), '█▏');
    t.equal(blockBar(0.001, 4), '▏');
  });

  t.test('is empty for 0 and null, full beyond 100', async (t) => {
    t.equal(blockBar(0, 4), '');
    t.equal(blockBar(null, 4), '');
    t.equal(blockBar(120, 4), '████');
  });
});

t.test('the baseline line', async (t) => {
  t.test('gives accuracy, loss and images with labels', async (t) => {
    const line = 'baseline: top-1 80.10 %, top-5 95.20 %, loss 0.912 on 1,000 images';
    t.equal(baselineLine(exampleSummary(resnet18Layers)), line);
  });

  t.test('says so where there are no labels', async (t) => {
    const line = 'baseline: 1 image without labels';
    t.equal(baselineLine(exampleSummary(resnet18Layers, { labels: false, images: 1 })), line);
  });
});
