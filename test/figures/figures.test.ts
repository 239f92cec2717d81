import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { compile } from 'vega-lite';
import { figureData } from '../../src/compare/figure-data.js';
import { renderFigures } from '../../src/compare/render-figures.js';
import { drawingsOf } from '../../src/figures/all-figures.js';
import { DARK_PAPER, darkened } from '../../src/figures/dark.js';
import { layerLabels } from '../../src/figures/layer-labels.js';
import { figurePage } from '../../src/figures/page.js';
import { inlineSvg, pdfFile, pngFile, svgFile } from '../../src/figures/render.js';
import { statisticsOf } from '../../src/figures/statistics.js';
import { textWidth } from '../../src/figures/typeface.js';
import { stagesOf } from '../../src/report/groups.js';
import { reportHtml } from '../../src/report/html.js';
import { exampleSummary, resnet18Layers } from '../report/example.js';

const EVIL = '<img src=x onerror=alert(1)>';
const layers = ['conv1', 'layer1.0.conv1', 'layer1.0.downsample.0', 'layer2.0.conv1', 'fc'];
/** Six models in three categories: criticality is 10 x layer + 3 x model, ± 1 over three draws, of the first layer ± 8. */
const models = ['base', 'late_l2_eps1', 'late_l2_eps2', 'late_linf_eps4', 'other', EVIL];
const cosine = (model: number, layer: number, trial: number) =>
  1 - (10 * layer + 3 * model + (layer === 0 ? 8 : 1) * trial) / 100;
const csv = [
  'model_id,layer,trial,pred_cos_sim',
  ...models.flatMap((model, m) =>
    layers.flatMap((layer, l) =>
      [0, 1, 2].map((trial) => `${model},${layer},${trial},${cosine(m, l, trial)}`),
    ),
  ),
].join('\n');
const categories = { robust: models.slice(1, 4), baseline: ['base'], rest: models.slice(4) };
const accuracies = Object.fromEntries(models.map((model, i) => [model, 80 - i]));

const folder = t.testdir({
  'results.csv': csv,
  'categories.json': JSON.stringify(categories),
  'accuracies.json': JSON.stringify(accuracies),
});
const data = await figureData([join(folder, 'results.csv')], {
  categories: join(folder, 'categories.json'),
  accuracies: join(folder, 'accuracies.json'),
});
const drawings = drawingsOf(data);
const specOf = (id: string) => drawings.find((one) => one.id === id)!.spec;
const count = (text: string, part: string) => text.split(part).length - 1;
const marksOf = (svg: string, name: string) =>
  new RegExp(`<g class="[^"]*\\b${name}_marks"[^>]*>(.*?)</g>`, 's').exec(svg)?.[1] ?? '';

t.test('in the dark, ink and ground change, and what is drawn of the data stays', async (t) => {
  const spec = specOf('map');
  const values = (text: string) => text.match(/"values":\[\{.*?\}\]/gs);
  const [light, dark] = [JSON.stringify(spec), JSON.stringify(darkened(spec))];
  t.ok(light.includes('#222222') && !dark.replaceAll(/"values":\[\{.*?\}\]/gs, '').includes('#222222'));
  t.strictSame(values(dark), values(light));
  const svg = await svgFile(darkened(spec), { ground: DARK_PAPER });
  t.ok(svg.includes(`fill="${DARK_PAPER}"`), 'the ground');
  t.notMatch(svg, /fill="(#222222|white)"/);
});

t.test('budgets are labelled as the numbers that they are', async (t) => {
  const attributes = [4, 10, 25];
  const at = (model: { id: string }) => models.slice(1, 4).indexOf(model.id);
  const attacked = data.models.map((model) =>
    at(model) < 0 ? model : { ...model, attributes: { norm: 'linf', budget: attributes[at(model)]! } },
  );
  const budget = drawingsOf({ ...data, models: attacked }).find(({ id }) => id === 'budget')!;
  const svg = await svgFile(budget.spec);
  for (const label of ['4', '10', '25']) t.ok(svg.includes(`>${label}</text>`), label);
});

t.test('layers get labels that a reader knows', async (t) => {
  const labelled = (names: string[], shape: number[] = []) =>
    layerLabels(names.map((layer) => ({ layer, shape })));
  t.same(labelled(['conv1', 'layer3.2.conv2', 'layer1.0.downsample.0'], [8, 8, 3, 3]), [
    'conv1 3×3',
    'layer3.2 conv2 3×3',
    'layer1.0 downsample 3×3',
  ]);
  t.same(
    labelled([
      'vit.embeddings.patch_embeddings.projection',
      ...[0, 1, 2].map((i) => `vit.encoder.layer.${i}.attention.attention.query`),
      'classifier',
    ]),
    [
      'embeddings.patch…ddings.projection',
      'encoder.layer.0 attention.query',
      'encoder.layer.1 attention.query',
      'encoder.layer.2 attention.query',
      'classifier',
    ],
  );
  t.same(labelled(['a.0', 'a.1', 'a', 'a']), ['a.0', 'a.1', 'a', 'a #2'], 'distinct');
  t.same(stagesOf(layers), ['conv1', 'layer1', 'layer1', 'layer2', 'fc']);
});

t.test('models stand by category, the baseline first, with what is known of them', async (t) => {
  t.same(
    data.models.map(({ id, category, accuracy }) => [id, category, accuracy]),
    [
      ['base', 'baseline', 80],
      ['late_l2_eps1', 'robust', 79],
      ['late_l2_eps2', 'robust', 78],
      ['late_linf_eps4', 'robust', 77],
      [EVIL, 'rest', 75],
      ['other', 'rest', 76],
    ],
  );
  t.equal(data.baseline, 'base');
  t.match(data.models[3]!.attributes, { norm: 'linf', budget: 4 });
  const { spread, difference, intervalWidth } = statisticsOf(data);
  t.equal(
    spread!.mean.toFixed(9),
    '2.400000000',
    'of draws one point apart, eight in the first of five layers',
  );
  t.equal(
    intervalWidth!.max.toFixed(3),
    ((8 * 2 * 4.3026527) / Math.sqrt(3)).toFixed(3),
    'Student’s, two degrees',
  );
  t.equal(difference!.max.toFixed(9), '15.000000000');
  t.equal(difference!.maxAt.model, EVIL);
});

t.test(
  'the map has a cell for each, margins, a category’s name once; the difference map marks what survives',
  async (t) => {
    const svg = await inlineSvg(specOf('map'));
    t.equal(count(marksOf(svg, 'cells'), '<path'), 30);
    t.equal(count(marksOf(svg, 'models'), '<path'), 6);
    t.equal(count(marksOf(svg, 'layers'), '<path'), 5);
    for (const name of ['baseline', 'robust', 'rest', 'layer1.0 downsample', 'base [80.0]']) {
      t.equal(count(svg, `>${name}</text>`), 1, name);
    }
    t.ok(svg.indexOf('>base [80.0]<') < svg.indexOf('>late_l2_eps1 [79.0]<'));
    const differences = await inlineSvg(specOf('difference'));
    const surviving = data.differences.filter(({ pBh }) => pBh! < 0.05).length;
    t.ok(surviving > 0 && surviving < 25, String(surviving));
    t.equal(count(marksOf(differences, 'tests'), '<path'), surviving);
    t.notMatch(differences, '>base [80.0]<');
  },
);

t.test('text has the widths of the font that comes along', async (t) => {
  // Arimo's advance widths, in units of 2048: H 1479, i 455.
  t.equal(textWidth('Hi', 20).toFixed(2), (((1479 + 455) / 2048) * 20).toFixed(2));
  t.ok(textWidth('Hi', 20, true) > textWidth('Hi', 20));
});

t.test('other pages stay as they are once the font is in use', async (t) => {
  const page = await reportHtml([exampleSummary(resnet18Layers)]);
  await inlineSvg(specOf('map'));
  t.equal(await reportHtml([exampleSummary(resnet18Layers)]), page);
});

t.test('every figure', async (t) => {
  for (const { id, spec } of drawings) {
    const expressions: unknown[] = [];
    JSON.stringify(compile(spec).spec, (key, value) => {
      if (['expr', 'signal', 'test', 'update', 'init'].includes(key)) expressions.push(value);
      return value;
    });
    t.notMatch(JSON.stringify(expressions), 'onerror', `${id}: no name in an expression`);
    const svg = await svgFile(spec);
    t.equal(svg, await svgFile(spec), `${id}: equal bytes`);
    t.notMatch(svg, /<img|NaN|undefined/, id);
    t.match(svg, '@font-face', id);
    t.match(svg, '<rect width', `${id}: a white ground`);
    t.notMatch(await svgFile(spec, { isTransparent: true }), /<rect [^>]*fill="white"/, id);
  }
});

t.test('files have the width that is asked for', async (t) => {
  t.match(
    await svgFile(specOf('map'), { widthMm: 60 }),
    /^<svg [^>]*width="60mm" height="[\d.]+mm" viewBox="0 0/,
  );
  const png = sharp(await pngFile(specOf('map'), { widthMm: 60, isTransparent: true }));
  const { width } = await png.metadata();
  t.equal(width, Math.round((60 / 25.4) * 300));
  const corner = await png.extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer();
  t.equal(corner[3], 0);
  const pdf = await pdfFile(specOf('map'), { widthMm: 60 });
  t.match(Buffer.from(pdf).toString('latin1'), /\/MediaBox \[0 0 170(\.\d+)? /);
  t.same(pdf, await pdfFile(specOf('map'), { widthMm: 60 }), 'equal bytes');
});

t.test('a PDF file holds its fonts', { skip: lacks('pdffonts') }, async (t) => {
  const path = join(t.testdir({}), 'map.pdf');
  writeFileSync(path, await pdfFile(specOf('accuracy')));
  const [, , ...fonts] = execFileSync('pdffonts', [path], { encoding: 'utf8' }).trim().split('\n');
  t.ok(fonts.length > 0);
  for (const font of fonts) t.match(font, /\+Arimo-\w+ +CID TrueType +Identity-H +yes yes yes/);
});

t.test('the page has every figure, its font, and names as text', async (t) => {
  const html = await figurePage(data, statisticsOf(data), drawings);
  t.equal(count(html, '<figure>'), drawings.length);
  t.match(html, 'font-src data:');
  t.notMatch(html, '<img');
  t.match(html, '&lt;img src=x onerror=alert(1)&gt;');
  t.notMatch(html, /(src|href)="?https?:/);
});

function lacks(program: string): string | false {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return false;
  } catch {
    return `there is no ${program}`;
  }
}

t.test('for scripts: the figures that are asked for, and misuse is refused', async (t) => {
  const sources = [join(folder, 'results.csv')];
  const [map, ...others] = await renderFigures(sources, { figures: ['map'], isDark: true });
  t.same(others, []);
  t.match(map, { id: 'map', title: 'Criticality map' });
  t.match(map!.file, /^<svg .*fill="#16181b"/s);
  const [png] = await renderFigures(sources, { figures: ['stages'], format: 'png', widthMm: 60 });
  t.equal(Buffer.from(png!.file as Uint8Array).toString('latin1', 1, 4), 'PNG');
  await t.rejects(renderFigures(sources, { format: 'gif' as never }), TypeError);
  await t.rejects(renderFigures(sources, { widthMm: 3 }), RangeError);
  await t.rejects(renderFigures(sources, { baseline: 'nobody' }), { code: 'ERR_OPTION' });
});

t.test('specifications have what Vega-Lite’s own schema allows', async (t) => {
  // Altair checks them by it: a ground is a colour or nothing.
  for (const { id, spec } of drawings) t.notOk('background' in spec, id);
});
