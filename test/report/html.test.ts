import { createHash } from 'node:crypto';
import t from 'tap';
import { reportHtml } from '../../src/report/html.js';
import { methodsOf } from '../../src/report/methods.js';
import { meanCriticality } from '../../src/report/overview.js';
import { explanation, resetSentence, WORDS } from '../../src/report/prose.js';
import { noEstimate, type Summary } from '../../src/run/summary.js';
import { exampleSummary, resnet18Layers, resnet50Layers, vitLayers } from './example.js';

/** Without the page's script and its data, which the browser's test is about. */
const withoutScripts = (html: string): string => html.replace(/<script.*?<\/script>/gs, '');

const count = (text: string, part: string | RegExp): number => text.split(part).length - 1;

t.test('a report of one model', async (t) => {
  const summary = exampleSummary(resnet50Layers, { name: 'resnet50.a1' });
  const html = await reportHtml([summary]);

  t.test('is an HTML file in UTF-8 with the model as its title', async (t) => {
    t.match(html, /^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    t.match(html, '<title>resnet50.a1 – layer criticality</title>');
    t.match(html, '<h1>resnet50.a1</h1>');
  });

  t.test('explains what was measured and how', async (t) => {
    const paragraph = explanation(summary);
    t.match(paragraph, 'Each of 54 layers was reset on its own');
    t.match(paragraph, 'freshly drawn random ones (initialisation: auto)');
    t.match(paragraph, '1,000 images from imagenet/val');
    t.match(paragraph, '3 independent draws, each of which saw all images');
    t.match(paragraph, '(seed 0); given with 95 % intervals of the mean over new draws and images.');
    t.match(html, 'Each of 54 layers was reset on its own');
  });

  t.test('explains the design in which every few images have a draw of their own', async (t) => {
    const sliced = exampleSummary(resnet18Layers, { draws: 125 });
    sliced.options.imagesPerDraw = 8;
    t.match(
      explanation(sliced),
      'Every 8 images had a draw of their own, 125 at most for a layer; values are means over draws and images',
    );
    sliced.options.imagesPerDraw = 1;
    t.match(explanation(sliced), 'Every image had a draw of its own, 125 at most');
    t.match(
      explanation(exampleSummary(resnet18Layers, { draws: 1 })),
      'Values are means over images (seed 0).',
    );
  });

  t.test('gives key facts: baseline, images, mean criticality, the extremes', async (t) => {
    for (const fact of [
      'Baseline accuracy',
      '80.10 %',
      'Mean criticality',
      'Most critical',
      'Least critical',
    ]) {
      t.match(html, fact);
    }
  });

  t.test(
    'has a figure each for criticality, agreement, parameters and accuracy, named for screen readers',
    async (t) => {
      t.equal(count(html, '<figure'), 4);
      const labels = [...html.matchAll(/<svg role="img" aria-labelledby="([^"]+)"/g)].map(([, id]) => id!);
      t.equal(labels.length, 4);
      for (const id of labels) t.equal(count(html, `id="${id}"`), 1, id);
    },
  );

  t.test('has a table with a caption, scopes, a row per layer and numbers on the right', async (t) => {
    t.match(html, '<caption>Every layer of resnet50.a1, in graph order.</caption>');
    t.equal(count(html, '<tr><th scope="row">'), 54 + 1);
    const heads = [...html.matchAll(/<th scope="col"[^>]*>([^<]+)<\/th>/g)].map(([, title]) => title);
    t.same(
      heads.join(' | '),
      'layer | op | shape | parameters | criticality % | interval | sd draws | sd images | agreement % | cosine | L1 | L2 | KL | JS | ' +
        'top-1 % | top-5 % | loss | change | draws | images | passes',
    );
    t.match(html, `data-value="${summary.layers[0]!.criticality.mean}">`);
  });

  t.test('defines its words and tells where its numbers come from', async (t) => {
    t.match(html, '<h2>How to read this</h2>');
    t.match(html, '<dt>Criticality</dt><dd>100 × (1 − mean cosine similarity');
    t.match(html, `<dt>model sha256</dt><dd>${summary.model.sha256}</dd>`);
    t.match(html, `<dt>data fingerprint</dt><dd>${summary.data.fingerprint}</dd>`);
    t.match(html, '<dt>critmap</dt><dd>0.1.0</dd>');
    t.match(html, '<dt>confidence</dt><dd>0.95</dd>');
  });

  t.test('loads nothing: no address but the names of XML namespaces', async (t) => {
    const addresses = new Set(html.match(/https?:\/\/[^"'\s<)]+/g));
    t.same(addresses, new Set(['http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink']));
    t.notMatch(withoutScripts(html), /<link|<iframe|<img|<image|<use| src=|@import|url\(/);
  });

  t.test('allows its one script by hash and is complete without it', async (t) => {
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)];
    t.equal(scripts.length, 1);
    const hash = createHash('sha256').update(scripts[0]![1]!).digest('base64');
    t.match(html, `script-src 'sha256-${hash}'`);
    t.notMatch(withoutScripts(html), / on\w+="/);
  });

  t.test('has the same bytes each time', async (t) => {
    t.equal(await reportHtml([exampleSummary(resnet50Layers, { name: 'resnet50.a1' })]), html);
  });
});

t.test('a report escapes all text that comes from files', async (t) => {
  const evil = `</style></title><script>alert("x")</script><img src=x onerror='y'>&`;
  const summary = exampleSummary([{ layer: evil, op: evil, shape: [3, 3] }, ...resnet18Layers], {
    name: evil,
  });
  summary.layers[0]!.invalid = 1;
  summary.layers[1]!.reset = evil;
  summary.data.source = evil;
  summary.data.fingerprint = evil;
  summary.model.sha256 = evil;
  summary.options = { [evil]: { [evil]: evil }, init: evil, seed: evil, confidence: evil };
  for (const html of [await reportHtml([summary]), await reportHtml([summary, summary], { title: evil })]) {
    t.equal(count(html, /<script/i), html.includes('id="page-data"') ? 2 : 1);
    t.equal(count(html, /<\/style/i), 1);
    t.equal(count(html, /<\/title/i), 1);
    t.equal(count(html, /<img/i), 0);
  }
});

t.test('a report without labels has no accuracy, and says so', async (t) => {
  const html = await reportHtml([exampleSummary(resnet18Layers, { labels: false })]);
  t.match(html, '<dd>–<small>no labels</small></dd>');
  t.equal(count(html, '<figure'), 3);
  t.notMatch(html, '>top-1 %</th>');
});

t.test('a report shows – for what was not measured and sorts it last', async (t) => {
  const summary = exampleSummary(resnet18Layers.slice(0, 2), { draws: 1 });
  summary.layers[0] = {
    ...summary.layers[0]!,
    criticality: noEstimate,
    agreement: noEstimate,
    cosine: null,
    change: null,
  };
  const html = await reportHtml([summary]);
  t.match(html, '<td class="number" data-value="">–</td>');
  t.notMatch(withoutScripts(html), />NaN<|[:,("]NaN|undefined|\bnull\b/);
});

t.test('a report names layers with invalid outputs and shows their count', async (t) => {
  const summary = exampleSummary(resnet18Layers);
  summary.layers[2]!.invalid = 17;
  const html = await reportHtml([summary]);
  t.match(html, 'in layer1.0.conv2 (17).');
  t.match(html, '>invalid</th>');
});

t.test('a report of a sweep that stopped when it knew enough shows where', async (t) => {
  const summary = exampleSummary(resnet18Layers);
  t.notMatch(await reportHtml([summary]), '>stopped at</th>');
  summary.options.tolerance = 2;
  summary.layers[0]!.stoppedAt = 2400;
  const html = await reportHtml([summary]);
  t.match(html, '>stopped at</th>');
  t.match(html, '<td class="number" data-value="2400">2,400</td>');
  t.match(html, '<td class="number" data-value="">not reached</td>');
});

t.test('a layer without any valid output counts as 100 % critical in the mean', async (t) => {
  const { layers } = exampleSummary(resnet18Layers.slice(0, 2));
  const [first, second] = layers;
  const destroyed = { ...first!, invalid: first!.passes, criticality: noEstimate };
  t.equal(meanCriticality([destroyed, second!]), (100 + second!.criticality.mean!) / 2);
  t.equal(
    meanCriticality([{ ...destroyed, invalid: destroyed.passes - 1 }, second!]),
    second!.criticality.mean,
  );
});

t.test('a report works for one layer, for 74, for none, and without options', async (t) => {
  t.match(await reportHtml([exampleSummary(resnet18Layers.slice(0, 1))]), 'One layer was reset on its own');
  t.equal(count(await reportHtml([exampleSummary(vitLayers)]), '<tr><th scope="row">'), 75);
  await t.resolves(reportHtml([{ ...exampleSummary([]), options: {} }]));
});

t.test('a report of several models', async (t) => {
  const models = ['first', 'second'].map((name) => exampleSummary(resnet18Layers, { name }));

  t.test('compares them first, then shows each', async (t) => {
    const html = await reportHtml(models);
    t.match(html, '<h1>2 models</h1>');
    t.equal(count(html, '<figure'), 4 + 2 * 4);
    t.match(html, '<figure class="map">');
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    t.equal(new Set(ids).size, ids.length, 'ids are distinct');
  });

  t.test('leaves out the sections per model on request', async (t) => {
    const html = await reportHtml(models, { title: 'A <study>', perModel: false });
    t.match(html, '<h1>A &lt;study&gt;</h1>');
    t.equal(count(html, '<figure'), 4);
  });
});

t.test('a report needs a summary', async (t) => {
  await t.rejects(reportHtml([]), RangeError);
});

t.test('every kind of reset has a sentence', async (t) => {
  const kinds = [
    'random',
    'zero',
    'constant=0.5',
    'shuffle',
    'donor=a=b.onnx',
    'interpolate=c@0.5',
    'noise=0.1',
    'quantize=int8',
    'prune=0.3',
    'prune-channels=0.3',
    'lowrank=0.3',
    'other',
  ];
  t.same(
    kinds.map((kind) => resetSentence(kind, undefined)),
    [
      'its weights were replaced by freshly drawn random ones',
      'its weights were set to zero',
      'its weights were all set to 0.5',
      'its own weights were shuffled',
      'its weights were replaced by those of a=b.onnx',
      'its weights were mixed with those of another checkpoint (c@0.5)',
      'noise was added to its weights (σ = 0.1)',
      'its weights were rounded to int8, with a scale per output channel',
      'its smallest weights were set to zero, a part of 0.3 of them',
      'its smallest output channels were set to zero, a part of 0.3 of them',
      'its weights were replaced by the nearest matrix of a lower rank, a part of 0.3 of the full one',
      'its weights were changed (other)',
    ],
  );
});

/** Resnet-18 whose first two layers were reset together, named after neither. */
function groupedSummary(group: string | undefined): Summary {
  const summary = exampleSummary(resnet18Layers.slice(0, 3));
  const members = resnet18Layers.slice(0, 2).map(({ layer }) => layer);
  Object.assign(summary.layers[0]!, { layer: 'both', members });
  summary.layers.splice(1, 1);
  summary.options.group = group;
  return summary;
}

t.test(
  'introduction and methods say which layers were reset together, and how they were chosen',
  async (t) => {
    const ways = {
      block: 'the layers of a block',
      stage: 'the layers of a stage',
      pairs: 'every two layers',
      'layer\\d': 'layers in whose names the expression layer\\d matches the same',
    };
    for (const [group, how] of Object.entries(ways)) {
      const summary = groupedSummary(group);
      const said = `ne group of layers (${how}) was reset together, and one layer on its own: its weights`;
      for (const text of [explanation(summary), methodsOf([summary])]) {
        t.ok(text.includes(said), `${group}: ${text}`);
      }
      const study = methodsOf([summary, { ...summary, model: { ...summary.model, name: 'other' } }]);
      t.ok(study.includes(`In each of 2 models, o${said}`), study);
    }
  },
);

t.test('introduction and methods say what was reset with a layer, and what of it was not', async (t) => {
  const withNorm = groupedSummary(undefined);
  withNorm.layers[0]!.layer = withNorm.layers[0]!.members![0]!;
  withNorm.options.norm = 'with-layer';
  const fresh = exampleSummary(resnet18Layers);
  fresh.options.norm = 'reset';
  const weights = exampleSummary(resnet18Layers);
  weights.options.parts = 'weight';
  const biases = exampleSummary(resnet18Layers);
  biases.options.parts = 'bias';
  const expected = [
    [withNorm, 'ach of 2 layers was reset on its own: '],
    [
      withNorm,
      'all other parameters stayed as trained, but for the norm right behind a layer, which was reset',
    ],
    [
      fresh,
      'all other parameters stayed as trained, but for the BatchNorm behind a convolution, which was put',
    ],
    [weights, 'its weights were replaced'],
    [weights, 'all other parameters, biases of the same layers among them, stayed as trained.'],
    [biases, 'its biases were replaced'],
    [biases, 'all other parameters, weights of the same layers among them, stayed as trained.'],
  ] as const;
  for (const [summary, said] of expected) {
    for (const text of [explanation(summary), methodsOf([summary])]) t.ok(text.includes(said), text);
  }
  t.match(methodsOf([fresh, exampleSummary(resnet18Layers)]), /initial state with it in some runs\./);
});

/** Resnet-18 under two resets; the second moves everything. */
function twoResets(): Summary {
  const summary = exampleSummary(resnet18Layers.slice(0, 4));
  const skipped = summary.layers.slice(1).map((layer, i) => ({
    ...layer,
    ...{ reset: 'skip', init: null, draws: 1, passes: layer.images },
    criticality: { ...noEstimate, mean: 10 * (i + 1), low: 5, high: 50, interval: 'images' as const },
  }));
  summary.layers.push(...skipped);
  summary.options.reset = ['skip', 'random'];
  return summary;
}

t.test('headline numbers are of one reset, the first that was asked for, and say which', async (t) => {
  const summary = twoResets();
  const html = withoutScripts(await reportHtml([summary]));
  t.match(html, '<dt>Mean criticality</dt><dd>20.00 %<small>over 3 layers, reset skip</small>');
  const names = /<dt>Most critical layers, reset skip, %<\/dt><dd class="names">(.*?)<\/dd>/.exec(html)?.[1];
  t.same(
    [...names!.matchAll(/<b>([^<]+)<\/b>/g)].map(([, value]) => value),
    ['30.0', '20.0', '10.0'],
  );
  t.match(html, /<th scope="row">mean over layers · skip<\/th>.*?<td class="number">20\.00</s);
  t.match(html, '<th scope="row">mean over layers · random</th>');
  const several = await reportHtml([summary, summary], { perModel: false });
  t.match(several, 'Means over the layers of each model, under the reset skip.');
  t.match(several, '<td class="number" data-value="20">20.00</td>');
  const grouped = await reportHtml([groupedSummary('block')]);
  t.match(grouped, 'over 1 group and 1 layer<');
  t.match(grouped, 'Most critical groups, %');
  t.match(grouped, 'Criticality per layer or group');
  t.match(grouped, 'One point per layer or group. Dashed');
});

t.test('resets without draws have none in introduction and methods', async (t) => {
  const summary = twoResets();
  summary.options.imagesPerDraw = 8;
  const mixed = methodsOf([summary]);
  t.match(explanation(summary), '3 at most for a layer where a reset draws; values are');
  t.match(
    mixed,
    'Where a reset draws, every 8 consecutive images of a random order had draws of their own, 3 draws for each layer (seed 0).',
  );
  t.match(mixed, ') cover new draws and new images, or new images where a reset draws nothing.');
  summary.options.imagesPerDraw = 1;
  t.match(methodsOf([summary]), 'every image of a random order had draws of its own, 3 draws');

  const skipped = { ...summary, layers: summary.layers.filter(({ reset }) => reset === 'skip') };
  skipped.options.tolerance = 3;
  for (const layer of skipped.layers) layer.criticality.interval = 'betting';
  t.match(
    explanation(skipped),
    'Values are means over images (seed 0); given with 95 % intervals of the mean over new images,',
  );
  const methods = methodsOf([skipped]);
  t.match(methods, 'No weights were drawn at random: each image counts once.');
  t.match(methods, ') cover new images.');
  t.match(methods, 'within ± 3 percentage points: none of 3 reached that, all saw all images.');
  skipped.layers[0]!.stoppedAt = 40;
  t.match(methodsOf([skipped]), ': 1 of 3 reached that, the others saw all images.');
  t.notMatch(methods, /new draws|draws of (their|its) own/);
});

t.test('methods say what else was a layer, what a mean is of, and what could not be reset', async (t) => {
  const summary = twoResets();
  const plain = methodsOf([summary]);
  t.notMatch(plain, /Norms|Fused|That mean|could not/);
  Object.assign(summary.options, { include: 'norm', splitQkv: true, calibration: 64 });
  summary.leftOut = [
    { name: 'conv1', op: 'Conv', why: 'its shapes differ', reset: 'skip' },
    { name: 'fc', op: 'Gemm', why: 'its shapes differ', reset: 'skip' },
    { name: 'scale', op: 'Mul', why: 'it is no layer' },
  ];
  const methods = methodsOf([summary]);
  t.match(
    methods,
    'Norms with parameters counted as layers. Fused queries, keys and values of attention were taken',
  );
  t.match(methods, 'The reset skip could not be done to 2 (conv1 and fc), which have no number under it.');
  t.notMatch(methods, 'That mean', 'of a run without one');
  for (const layer of summary.layers) if (layer.reset === 'skip') layer.reset = 'mean';
  t.match(
    methodsOf([summary]),
    'That mean is over the first 64 images of the sample, or all of a smaller one.',
  );
  t.match(
    methodsOf([summary, exampleSummary(resnet18Layers)]),
    'Norms with parameters counted as layers in some runs.',
  );
});

t.test('the words speak of groups, and of resets of what layers give', async (t) => {
  const words = new Map(WORDS);
  t.match(words.get('Reset'), /group.*skip and mean replace what the layer or group gives/);
  t.match(words.get('Mean criticality'), 'under one reset');
});
