import t from 'tap';
import { compile } from 'vega-lite';
import {
  accuracyFigure,
  agreementFigure,
  criticalityFigure,
  figuresOf,
  parametersFigure,
  renderSvg,
} from '../../src/report/figures.js';
import { groupsOf, kindOf, PALETTE, stageStarts } from '../../src/report/groups.js';
import { placeLabels } from '../../src/report/label-placement.js';
import { noEstimate, type Summary } from '../../src/run/summary.js';
import { exampleSummary, resnet18Layers, resnet50Layers, vitLayers } from './example.js';

const count = (text: string, part: string): number => text.split(part).length - 1;
/** The markup of one named mark of a figure. */
const markOf = (svg: string, name: string): string =>
  new RegExp(`<g class="[^"]*\\b${name}_marks"[^>]*>(.*?)</g>`, 's').exec(svg)?.[1] ?? '';

t.test('the criticality figure', async (t) => {
  t.test('names every layer, with a bar and an interval each', async (t) => {
    for (const layers of [resnet18Layers, resnet50Layers]) {
      const svg = await renderSvg(criticalityFigure([exampleSummary(layers)]));
      for (const { layer } of layers) t.match(svg, `>${layer}</text>`);
      t.equal(count(markOf(svg, 'means'), '<path'), layers.length);
      t.equal(count(markOf(svg, 'intervals'), '<line'), layers.length);
    }
  });

  t.test('keeps the graph order from top to bottom', async (t) => {
    const svg = await renderSvg(criticalityFigure([exampleSummary(resnet18Layers)]));
    const axis = [...svg.matchAll(/<text[^>]*translate\(-?[\d.]+,([\d.]+)\)[^>]*>([^<]+)<\/text>/g)];
    const names = new Set(resnet18Layers.map(({ layer }) => layer));
    const rows = axis.filter(([, , name]) => names.has(name!)).sort((a, b) => Number(a[1]) - Number(b[1]));
    t.same(
      rows.map(([, , name]) => name),
      resnet18Layers.map(({ layer }) => layer),
    );
  });

  t.test('shortens long names but keeps them distinct', async (t) => {
    const svg = await renderSvg(criticalityFigure([exampleSummary(vitLayers)]));
    t.match(svg, '>…11.attention.attention.query</text>');
    t.equal(count(markOf(svg, 'means'), '<path'), 74);
  });

  t.test('shows a layer without a value as an empty row', async (t) => {
    const summary = exampleSummary(resnet18Layers);
    const [first] = summary.layers;
    summary.layers[0] = { ...first!, criticality: noEstimate, agreement: noEstimate };
    const svg = await renderSvg(criticalityFigure([summary]));
    t.match(svg, '>conv1</text>');
    t.notMatch(svg, 'NaN');
  });

  t.test('draws intervals beyond 0-100 at the edge', async (t) => {
    const summary = exampleSummary(resnet18Layers.slice(0, 1));
    summary.layers[0]!.criticality = { ...noEstimate, mean: 99, low: -20, high: 150 };
    const intervals = markOf(await renderSvg(criticalityFigure([summary])), 'intervals');
    t.match(intervals, /translate\((0|720),[\d.]+\)/);
    t.match(intervals, /x2="-?720"/);
  });

  t.test('is a map of layers × models for several models', async (t) => {
    const models = ['a', 'b', 'b'].map((name) => exampleSummary(resnet18Layers, { name }));
    const svg = await renderSvg(criticalityFigure(models));
    t.equal(count(markOf(svg, 'cells'), '<path'), 3 * 21);
    t.match(svg, '>b #2</text>');
  });
});

t.test('the scatter figures have a point per layer and leave out what was not measured', async (t) => {
  const summary = exampleSummary(resnet50Layers);
  summary.layers[5]!.agreement = noEstimate;
  t.equal(count(markOf(await renderSvg(agreementFigure([summary])), 'layers'), '<path'), 53);
  t.equal(count(markOf(await renderSvg(parametersFigure([summary])), 'layers'), '<path'), 54);
});

t.test('the accuracy figure', async (t) => {
  t.test('has a point per layer and the baseline', async (t) => {
    const svg = await renderSvg(accuracyFigure([exampleSummary(resnet18Layers)])!);
    t.equal(count(markOf(svg, 'accuracies'), '<path'), 21);
    t.equal(count(markOf(svg, 'baselines'), '<line'), 1);
  });

  t.test('does not exist without labels', async (t) => {
    const summary = exampleSummary(resnet18Layers, { labels: false });
    t.equal(accuracyFigure([summary]), null);
    t.same(
      figuresOf([summary]).map(({ id }) => id),
      ['criticality', 'agreement', 'parameters'],
    );
  });
});

t.test('every figure', async (t) => {
  const svgs = async (summary: Summary): Promise<string[]> =>
    Promise.all(figuresOf([summary]).map(({ spec }) => renderSvg(spec)));

  t.test('has the same bytes each time', async (t) => {
    t.same(await svgs(exampleSummary(vitLayers)), await svgs(exampleSummary(vitLayers)));
  });

  t.test('is one svg element of a fixed size without ids, links or scripts', async (t) => {
    for (const svg of await svgs(exampleSummary(resnet18Layers))) {
      t.match(svg, /^<svg [^>]*width="\d+" height="\d+" viewBox="0 0 \d+ \d+">.*<\/svg>$/s);
      t.notMatch(svg, / id="|<a |<script|<image|<use|NaN/);
    }
  });

  t.test('escapes layer and model names', async (t) => {
    const layer = `<script>alert(1)</script>"'&\u0000`;
    for (const svg of await svgs(exampleSummary([{ layer, op: '<b>', shape: [2, 2] }]))) {
      t.notMatch(svg, /<script|<b>|\0/);
    }
    const svg = await renderSvg(criticalityFigure([exampleSummary([{ layer, op: 'Conv', shape: [] }])]));
    t.match(svg, `>&lt;script&gt;alert(1)&lt;/script&gt;"'&amp;\uFFFD</text>`);
  });

  t.test('takes names that mean something to JavaScript or Vega as they are', async (t) => {
    const names = [
      '__proto__',
      'constructor',
      'width',
      'datum.x',
      '{signal: "width"}',
      'a\\.b[0]',
      ' ',
      '2020-01-01',
    ];
    const svg = (await svgs(exampleSummary(names.map((layer) => ({ layer, op: 'Gemm', shape: [1] })))))[0]!;
    for (const name of names.slice(0, 6)) t.match(svg, `>${name}</text>`);
    t.equal(count(markOf(svg, 'means'), '<path'), names.length);
  });

  t.test('has no expression that holds a name', async (t) => {
    const layers = [1, 2, 3].map((i) => ({ layer: `MARK${i}`, op: i < 3 ? 'Gemm' : 'MARK', shape: [2, 2] }));
    const models = ['MARK4', 'MARK5'].map((name) => exampleSummary(layers, { name }));
    for (const { id, spec } of [...figuresOf(models.slice(1)), ...figuresOf(models)]) {
      const expressions: unknown[] = [];
      JSON.stringify(compile(spec).spec, (key, value) => {
        if (['expr', 'signal', 'test', 'update', 'init'].includes(key)) expressions.push(value);
        return value;
      });
      t.notMatch(JSON.stringify(expressions.filter((one) => typeof one === 'string')), 'MARK', id);
    }
  });

  t.test('works for one layer, for none and without intervals', async (t) => {
    await t.resolves(svgs(exampleSummary(resnet18Layers.slice(0, 1), { draws: 1 })));
    await t.resolves(svgs(exampleSummary([])));
  });
});

t.test('layers are grouped for colour', async (t) => {
  t.test('by operator and kernel in convolutional models', async (t) => {
    t.equal(kindOf({ op: 'Conv', shape: [64, 3, 7, 7], groups: 1 }), 'Conv 7×7');
    t.equal(kindOf({ op: 'Conv', shape: [64, 1, 3, 3], groups: 64 }), 'depthwise 3×3');
    t.equal(kindOf({ op: 'Conv', shape: [64, 1, 3, 3], groups: 1 }), 'Conv 3×3', 'on greyscale images');
    t.equal(kindOf({ op: 'Gemm', shape: [10, 64], groups: 1 }), 'linear');
    t.same(new Set(groupsOf(exampleSummary(resnet50Layers).layers)).size, 4);
  });

  t.test('by their place in the block where nearly all are matrix products', async (t) => {
    t.match(groupsOf(exampleSummary(vitLayers).layers).slice(0, 3), [
      'projection',
      'attention.attention.query',
      'attention.attention.key',
    ]);
  });

  t.test('into no more groups than there are colours', async (t) => {
    const layers = Array.from({ length: 30 }, (_, i) => ({
      layer: `m${i}`,
      op: 'Conv',
      shape: [1, 1, i, i],
    }));
    const groups = groupsOf(exampleSummary(layers).layers);
    t.equal(new Set(groups).size, PALETTE.length);
    t.ok(groups.includes('other'));
  });

  t.test('and divided where a stage begins', async (t) => {
    const { layers } = exampleSummary(resnet18Layers);
    t.same(
      stageStarts(layers).map((i) => layers[i]!.layer),
      ['layer1.0.conv1', 'layer2.0.conv1', 'layer3.0.conv1', 'layer4.0.conv1', 'fc'],
    );
    t.equal(stageStarts(exampleSummary(vitLayers).layers).length, 13);
    t.same(
      stageStarts(exampleSummary([...'abcdef'].map((layer) => ({ layer, op: 'Conv', shape: [] }))).layers),
      [],
    );
  });
});

t.test('names in a scatter plot neither overlap nor leave the plot', async (t) => {
  const points = Array.from({ length: 20 }, (_, i) => ({ name: `layer${i}`, x: 195, y: 10 + i * 4 }));
  const placed = placeLabels(points, points, { width: 200, height: 100 }, 10);
  t.ok(placed.length > 0 && placed.length < 10);
  placed.forEach((label, i) => {
    t.ok(label.x >= 0 && label.x + label.name.length * 5.6 <= 200);
    for (const other of placed.slice(i + 1)) {
      t.ok(Math.abs(other.y - label.y) >= 12 || Math.abs(other.x - label.x) >= 30);
    }
  });
});

t.test('a point of a scatter plot is named with its reset where there are several', async (t) => {
  const summary = exampleSummary(resnet18Layers.slice(0, 2));
  summary.layers.push(...summary.layers.map((layer) => ({ ...layer, reset: 'zero' })));
  for (const figure of [agreementFigure, parametersFigure]) {
    const names = markOf(await renderSvg(figure([summary])), 'names');
    t.match(names, /· (random|zero)</);
    t.notMatch(names, '>conv1<');
  }
});
