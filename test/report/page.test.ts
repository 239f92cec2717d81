import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { figureData } from '../../src/compare/figure-data.js';
import { drawingsOf, MOST_CELLS_OF_PAGE } from '../../src/figures/all-figures.js';
import { figurePage } from '../../src/figures/page.js';
import { statisticsOf } from '../../src/figures/statistics.js';
import { reportHtml } from '../../src/report/html.js';
import { openBrowser, skip } from './chromium.js';
import { exampleSummary, resnet18Layers } from './example.js';

const EVIL = '<img src=x onerror=alert(1)>';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Criticality of model m, layer l is 2 x l + 3 x m + 1, of three draws 1 apart. */
const csvOf = (models: readonly string[], layers: number) =>
  [
    'model_id,layer,trial,pred_cos_sim',
    ...models.flatMap((model, m) =>
      Array.from({ length: 3 * layers }, (_, i) => {
        const [l, trial] = [Math.floor(i / 3), i % 3];
        return `${model},layer${Math.floor(l / 4)}.${l % 4}.conv,${trial},${1 - (2 * l + 3 * m + trial) / 100}`;
      }),
    ),
  ].join('\n');

const models = ['base', EVIL, 'plain', ...Array.from({ length: 9 }, (_, i) => `robust_${i}`)];
const folder = t.testdir({
  'results.csv': csvOf(models, 12),
  'categories.json': JSON.stringify({
    baseline: ['base'],
    'other & more': models.slice(1, 3),
    robust: models.slice(3),
  }),
  'accuracies.json': JSON.stringify(Object.fromEntries(models.map((model, i) => [model, 80 - i]))),
});
const file = (name: string) => join(folder, name);

async function makePages(): Promise<void> {
  const data = await figureData([file('results.csv')], {
    categories: file('categories.json'),
    accuracies: file('accuracies.json'),
  });
  writeFileSync(file('study.html'), await figurePage(data, statisticsOf(data), drawingsOf(data)));
  writeFileSync(file('run.html'), await reportHtml([exampleSummary(resnet18Layers, { name: EVIL })]));
}

const browser = skip ? null : await openBrowser();
t.teardown(() => browser?.close());
if (!skip) await makePages();

/** What pages said on the console, and what they threw. */
const said: string[] = [];

/** A page from disk without a network. */
async function open(
  t: Test,
  name: string,
  settings: Parameters<Browser['newContext']>[0] = {},
): Promise<Page> {
  const context = await browser!.newContext({
    offline: true,
    viewport: { width: 1280, height: 900 },
    ...settings,
  });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => said.push(`dialog ${dialog.message()}`));
  await page.goto(`file://${file(name)}`);
  await page.locator('#explorer h2').waitFor();
  return page;
}

const column = (page: Page, table: string, at: number) =>
  page.locator(`${table} tbody tr > :nth-child(${at})`).allTextContents();

t.test('numbers are sorted, filtered, and belong to the metric that is chosen', { skip }, async (t) => {
  const page = await open(t, 'study.html');
  const table = '.numbers table';
  t.same(await column(page, table, 1), models, 'in the order of the map');
  t.equal(await page.locator('img').count(), 0);
  const mean = page.locator(`${table} thead button`, { hasText: 'mean criticality' });
  await mean.click();
  t.same(await column(page, table, 1), [...models].reverse());
  t.equal(await page.locator(`${table} th[aria-sort="descending"]`).count(), 1);
  t.same((await column(page, table, 4))[11], '12.00', 'of 1, 3, ... 23');
  await page.getByLabel('Filter models').fill('robust');
  await page.locator(`${table} tbody tr >> nth=8`).waitFor();
  t.same((await column(page, table, 1)).length, 9);
  await page.getByLabel('Filter layers').fill('layer0');
  await page.locator('.count', { hasText: '9 of 9' }).waitFor();
  await page.getByLabel('Metric').selectOption('spread');
  await page.locator(`${table} th`, { hasText: 'mean spread between draws (points)' }).waitFor();
  t.same(new Set(await column(page, table, 4)), new Set(['1.00']));
  await page.getByLabel('Rows are').selectOption('cells');
  t.match(await page.locator('.pages .count').textContent(), '1–36 of 36');
});

t.test(
  'pointing at a cell tells its number and interval, clicking it shows both profiles',
  { skip },
  async (t) => {
    const page = await open(t, 'study.html');
    const canvas = page.locator('.map-box canvas');
    const box = (await canvas.boundingBox())!;
    const { width } = (await page.locator('.map-space').boundingBox())!;
    t.ok(width > 1000, 'the map uses the width of the page');
    await page.mouse.move(box.x + 0.5 * box.width, box.y + 66 + 24 * 1.5);
    const tip = page.locator('.tip');
    t.match(await tip.textContent(), EVIL);
    t.match(await tip.textContent(), /layer\d\.\d conv\d+\.00 % \[\d+\.\d\d, \d+\.\d\d\]3 draws/);
    await page.mouse.click(box.x + 0.5 * box.width, box.y + 66 + 24 * 1.5);
    t.equal(await page.locator('.profiles figure:visible').count(), 2);
    t.equal(await page.getByLabel('Model', { exact: true }).inputValue(), '1');
    t.match(await page.locator('.profiles h4 >> nth=0').textContent(), `Model ${EVIL}`);
    t.match(await page.locator('.profiles h4 >> nth=1').textContent(), /Layer layer\d/);
  },
);

t.test('differences to a model, tested ones marked as such', { skip }, async (t) => {
  const page = await open(t, 'study.html');
  await page.getByLabel('Compare with').selectOption({ label: 'base (tested)' });
  await page.locator('.meaning', { hasText: 'Holm' }).waitFor();
  t.same((await column(page, '.numbers table', 4)).slice(0, 2), ['3.00', '6.00']);
  await page.getByLabel('Rows are').selectOption('cells');
  t.match((await page.locator('.numbers thead').textContent()) ?? '', 'p (Holm)');
  await page.getByLabel('Compare with').selectOption({ label: 'plain' });
  await page.locator('.meaning', { hasText: 'not tested' }).waitFor();
});

t.test('the map by keyboard, which is spoken', { skip }, async (t) => {
  const page = await open(t, 'study.html');
  await page.locator('.map-box').focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  t.match(await page.locator('.spoken').textContent(), `${EVIL}, layer0.1 conv, 6.00 % [`);
  await page.keyboard.press('Enter');
  t.equal(await page.locator('.profiles figure:visible').count(), 2);
});

t.test('figures and data are saved', { skip }, async (t) => {
  const page = await open(t, 'study.html', { acceptDownloads: true });
  const saved = async (name: string) => {
    const button = page.getByRole('button', { name, exact: true }).first();
    const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
    return readFileSync((await download.path())!);
  };
  const svg = (await saved('Download map 12 models as SVG')).toString('utf8');
  t.match(svg, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  t.match(svg, '@font-face{font-family:Arimo');
  t.match(svg, '&lt;img src=x');
  const still = await saved('Download Criticality and accuracy as PNG');
  t.equal(still.toString('latin1', 1, 4), 'PNG');
  t.ok(still.length > 10_000, 'it is drawn');
  const lines = (await saved('Download the data as CSV')).toString('utf8').trim().split('\n');
  t.equal(lines.length, 1 + 12 * 12);
  t.match(lines[0], 'model,category,accuracy,imageSet,reset,layer');
  const json = JSON.parse((await saved('Download the data as JSON')).toString('utf8'));
  t.match(json.cells[1], { model: 'base', layer: 'layer0.1.conv', criticality: 3, spread: 1 });
  t.match(json.methods, 'Differences to base');
});

for (const name of ['study.html', 'run.html']) {
  t.test(
    `${name}: nothing is cut, and nothing serious by axe, at any width, light and dark`,
    { skip },
    async (t) => {
      for (const [width, colorScheme] of [
        [1280, 'light'],
        [390, 'dark'],
        [390, 'light'],
        [1280, 'dark'],
      ] as const) {
        const page = await open(t, name, { viewport: { width, height: 800 }, colorScheme });
        t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${width} px`);
        await page.evaluate(axe);
        const serious = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: { run(): Promise<Axe> } }).axe.run();
          return violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
        });
        t.same(serious, [], `${width} px, ${colorScheme}`);
        const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor');
        t.equal(ground, colorScheme === 'dark' ? 'rgb(22, 24, 27)' : 'rgb(255, 255, 255)');
      }
    },
  );
}

interface Axe {
  violations: { id: string; impact: string; nodes: { html: string }[] }[];
}

t.test('one run: its profile, table, figures, methods and citation', { skip }, async (t) => {
  const page = await open(t, 'run.html');
  t.equal(await page.locator('img').count(), 0);
  await page.locator('.profiles svg').hover({ position: { x: 100, y: 100 } });
  t.match(await page.locator('.tip').textContent(), /conv1\d+\.\d\d % \[/);
  await page.getByLabel('Metric').selectOption('kl');
  await page.locator('.profiles text', { hasText: 'KL (nats)' }).waitFor();
  await page.getByLabel('Filter rows').fill('downsample');
  t.equal(await page.locator('table.sortable tbody tr:visible').count(), 3);
  const methods = await page.locator('.methods').textContent();
  t.match(methods, 'each of 21 layers was reset on its own');
  t.match(methods, 'Every layer had 3 independent draws, each of which saw all images (seed 0).');
  t.match(
    methods,
    '95 % intervals (crossed random effects of draws and images) cover new draws and new images.',
  );
  t.match(methods, 'eprint        = {2410.14470}');
});

t.test('a thousand models of two hundred layers open and scroll', { skip }, async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => `model_${i}_of_a_series`);
  const layers = Array.from({ length: 200 }, (_, i) => `blocks.${i}.conv`);
  const [small] = (await figureData([file('results.csv')])).cells;
  const panel = {
    name: 'many',
    layers: layers.map((layer, i) => ({ layer, label: layer, stage: 'all', kind: null, depth: i / 199 })),
    models: many,
  };
  const data = {
    ...(await figureData([file('results.csv')], { title: 'many' })),
    ...{ baseline: null, differences: [], categoryMeans: [], correlations: [] },
    models: many.map((id) => ({
      id,
      name: id,
      category: null,
      accuracy: null,
      attributes: {},
      panel: 0,
      mean: 50,
    })),
    panels: [panel],
    cells: many.flatMap((model, m) =>
      layers.map((layer, l) => ({ ...small!, model, layer, mean: (m + 7 * l) % 100 })),
    ),
  };
  const drawings = drawingsOf(data, { mostCells: MOST_CELLS_OF_PAGE });
  const html = await figurePage(data, statisticsOf(data), drawings);
  t.ok(html.length < 12e6, `${html.length} bytes`);
  writeFileSync(file('many.html'), html);
  const page = await open(t, 'many.html');
  const box = page.locator('.map-box');
  t.ok(await box.evaluate((one) => one.scrollHeight > 10_000 && one.clientHeight < 900));
  const canvas = page.locator('.map-box canvas');
  const before = await canvas.screenshot();
  await box.evaluate((one) => one.scrollTo(600, 9000));
  await page.waitForTimeout(100);
  t.notSame(await canvas.screenshot(), before);
  const place = (await canvas.boundingBox())!;
  await page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
  t.match(await page.locator('.tip').textContent(), /^model_6\d\d_of_a_seriesblocks\.\d+\.conv\d+\.00 %/);
});

const reference = (name: string) => new URL(`../../../shared/reference/${name}`, import.meta.url).pathname;
const noReference = existsSync(reference('results.csv')) ? false : 'the published results are not beside it';

t.test('the published study fits into three megabytes', { skip: skip || noReference }, async (t) => {
  const data = await figureData([reference('results.csv')], {
    categories: reference('r50_categories.json'),
    accuracies: reference('accuracies.json'),
    exclude: ['resnet50_frozen_random'],
  });
  const html = await figurePage(data, statisticsOf(data), drawingsOf(data));
  t.ok(html.length < 3e6, `${html.length} bytes`);
});

t.test('no page had anything to say on its console', { skip }, async (t) => {
  t.same(said, []);
});
