/**
 * The report as one HTML file: figures as inline SVG, styles and the page's script inside, nothing loaded
 * from outside. A content security policy allows that script by its hash and no other, so that a name in a
 * model file could not run even if it got past the escaping. Equal summaries give equal bytes.
 */
import { createHash } from 'node:crypto';
import { type OptionKinds, refuseMisuse } from '../options.js';
import type { LayerSummary, Summary } from '../run/summary.js';
import { largest } from '../statistics/extremes.js';
import { exploreRun } from './explore-run.js';
import { explorerHtml, methodsHtml, pageScript } from './explorer.js';
import { type Figure, figuresOf, renderSvg } from './figures.js';
import { comparisonTable, layersTable } from './html-tables.js';
import { methodsOf } from './methods.js';
import { fixed, grouped, halfWidth } from './numbers.js';
import {
  byCriticality,
  headlineOf,
  invalidLayers,
  meanCriticality,
  meanOf,
  optionText,
  untested,
} from './overview.js';
import { explanation, WORDS } from './prose.js';
import { STYLE } from './stylesheet.js';
import { countsOf } from './subject.js';
import { DASH, escapeHtml, printable, shorten } from './text.js';

/** What may be set about a report. */
export interface ReportOptions {
  /** The page's title; the model's name, or the count of models, unless given. */
  title?: string;
  /** Whether a report of several models also has a section for each of them; true unless given. */
  perModel?: boolean;
}

const known = { title: 'text', perModel: 'boolean' } as const satisfies OptionKinds<ReportOptions>;

const FEW = 3;

/**
 * Renders a report.
 * @param summaries one model, or several to compare, in the order in which they are shown
 * @throws RangeError without summaries
 */
export async function reportHtml(
  summaries: readonly Summary[],
  options: ReportOptions = {},
): Promise<string> {
  refuseMisuse('reportHtml', options, known);
  if (!Array.isArray(summaries)) throw new TypeError('summaries must be a list');
  return reportPage(summaries, options);
}

/** What a page of several models shows in place of the map of layers and models. */
export interface Inserted {
  html: string;
  style: string;
  methods: string;
}

/** The same with figures that were made elsewhere, of several models. */
export async function reportPage(
  summaries: readonly Summary[],
  options: ReportOptions,
  inserted?: Inserted,
): Promise<string> {
  if (summaries.length === 0) throw new RangeError('a report needs at least one summary');
  const only = summaries.length === 1 ? summaries[0]! : undefined;
  const title = options.title ?? only?.model.name ?? `${summaries.length} models`;
  const parts: string[] = [];
  if (only === undefined) {
    const figures = figuresOf(summaries).filter(({ id }) => inserted === undefined || id !== 'map');
    parts.push(comparisonTable(summaries));
    if (inserted) parts.push(inserted.html);
    parts.push(await figuresSection(figures, 'all', 2));
  }
  if (only !== undefined || options.perModel !== false) {
    for (const [i, summary] of summaries.entries()) {
      parts.push(await modelSection(summary, i, only === undefined));
    }
  }
  parts.push(
    wordsSection(),
    methodsHtml(inserted?.methods ?? methodsOf(summaries)),
    ...summaries.map((summary) => sourceSection(summary, only === undefined)),
  );
  return pageOf(title, parts, inserted?.style);
}

/** A page from its sections. With a style of its own it may have fonts inside. */
export function pageOf(title: string, parts: readonly string[], style?: string): string {
  const script = pageScript();
  const hash = createHash('sha256').update(script).digest('base64');
  // Pictures are those that are made of its own figures to be saved.
  const own = `img-src data:;${style === undefined ? '' : ' font-src data:;'}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ${own} style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – layer criticality</title>
<style>${STYLE}${style ?? ''}</style>
</head>
<body>
<header>
<p class="kicker">Layer criticality</p>
<h1>${escapeHtml(title)}</h1>
</header>
<main>
${parts.join('\n')}
</main>
<script>${script}</script>
</body>
</html>
`;
}

async function modelSection(summary: Summary, index: number, isOneOfSeveral: boolean): Promise<string> {
  const heading = isOneOfSeveral ? `<h2>${escapeHtml(summary.model.name)}</h2>\n` : '';
  const level = isOneOfSeveral ? 3 : 2;
  return `<section>
${heading}<p>${escapeHtml(explanation(summary))}</p>
${factsList(summary)}
${invalidWarning(summary)}
${isOneOfSeveral ? '' : `${explorerHtml(exploreRun(summary))}\n`}${await figuresSection(figuresOf([summary]), `model${index + 1}`, level)}
<h${level}>All layers</h${level}>
${layersTable(summary)}${untested(summary)
  .map((sentence) => `\n<p>${escapeHtml(sentence)}</p>`)
  .join('')}
</section>`;
}

function factsList(summary: Summary): string {
  const { baseline, data } = summary;
  const { layers, reset } = headlineOf(summary);
  const ranked = byCriticality(layers);
  // Means and ranks of several resets at once say nothing of any.
  const under = reset === undefined ? '' : `, reset ${shorten(printable(reset), 28)}`;
  const fact = (term: string, value: string, note = ''): string =>
    `<div><dt>${term}</dt><dd>${value}${note === '' ? '' : `<small>${escapeHtml(note)}</small>`}</dd></div>`;
  const names = (term: string, list: typeof ranked): string =>
    `<div><dt>${term}</dt><dd class="names">${list
      .map(
        (one) =>
          `<span><span>${escapeHtml(one.layer)}</span> <b>${fixed(one.criticality.mean, 1)}</b></span>`,
      )
      .join('')}</dd></div>`;
  const percent = (value: number | null, decimals: number): string =>
    value === null ? DASH : `${fixed(value, decimals)} %`;
  const facts = [
    fact('Mean criticality', percent(meanCriticality(layers), 2), `over ${rowsText(layers)}${under}`),
    fact(
      'Mean agreement',
      percent(meanOf(layers.map((layer) => layer.agreement.mean)), 2),
      `classes that stayed${under}`,
    ),
    baseline === null
      ? fact('Baseline accuracy', DASH, 'no labels')
      : fact('Baseline accuracy', percent(baseline.top1, 2), `top-1; top-5 ${fixed(baseline.top5, 2)} %`),
    fact('Images', grouped(data.images), widestInterval(summary)),
  ];
  if (ranked.length > 1) {
    const term = escapeHtml(`critical ${countsOf([layers]).groups === '0' ? 'layers' : 'groups'}${under}, %`);
    facts.push(names(`Most ${term}`, ranked.slice(0, FEW)));
    facts.push(names(`Least ${term}`, ranked.slice(-FEW).reverse()));
  }
  return `<dl class="facts">\n${facts.join('\n')}\n</dl>`;
}

/** `9 layers`, `7 groups and 2 layers`. */
function rowsText(layers: readonly LayerSummary[]): string {
  const { groups, alone } = countsOf([layers]);
  const parts = [
    ...(groups === '0' ? [] : [`${groups} group${groups === '1' ? '' : 's'}`]),
    ...(alone === '0' && groups !== '0' ? [] : [`${alone} layer${alone === '1' ? '' : 's'}`]),
  ];
  return parts.join(' and ');
}

/** How precise the least precise layer is. */
function widestInterval(summary: Summary): string {
  const halves = summary.layers.flatMap((layer) => halfWidth(layer.criticality) ?? []);
  return halves.length === 0 ? 'no intervals' : `criticality to ± ${fixed(largest(halves), 2)} or better`;
}

function invalidWarning(summary: Summary): string {
  const invalid = invalidLayers(summary);
  if (invalid.length === 0) return '';
  const list = invalid.map((layer) => `${layer.layer} (${grouped(layer.invalid)})`).join(', ');
  return `<p class="warning"><strong>NaN or infinite outputs</strong> in ${escapeHtml(list)}. They count as disagreement and as 100 % critical, and are left out of the other means.</p>`;
}

async function figuresSection(figures: readonly Figure[], prefix: string, level: number): Promise<string> {
  const html = new Map<Figure['id'], string>();
  for (const figure of figures) html.set(figure.id, await figureHtml(figure, prefix, level + 1));
  const of = (...ids: Figure['id'][]): string => ids.flatMap((id) => html.get(id) ?? []).join('\n');
  return `<h${level}>Figures</h${level}>
${of('criticality', 'map')}
<div class="pair">
${of('agreement', 'parameters')}
</div>
${of('accuracy')}`;
}

async function figureHtml(
  { id, title, caption, spec }: Figure,
  prefix: string,
  level: number,
): Promise<string> {
  const svg = await renderSvg(spec);
  const anchor = `${prefix}-${id}`;
  const labelled = svg.replace('<svg ', `<svg role="img" aria-labelledby="${anchor}" `);
  return `<figure class="${id}">
<figcaption><h${level} id="${anchor}">${escapeHtml(title)}</h${level}>${escapeHtml(caption)}</figcaption>
<div class="plot" tabindex="0" role="group" aria-label="${escapeHtml(title)}">${labelled}</div>
</figure>`;
}

function definitions(className: string, entries: readonly (readonly [string, string])[]): string {
  const items = entries.map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`);
  return `<dl class="${className}">\n${items.join('\n')}\n</dl>`;
}

function wordsSection(): string {
  return `<section>\n<h2>How to read this</h2>\n${definitions('words', WORDS)}\n</section>`;
}

function sourceSection(summary: Summary, isOneOfSeveral: boolean): string {
  const { model, data, options } = summary;
  const entries: (readonly [string, string])[] = [
    ['model', model.name],
    ['model sha256', model.sha256],
    ['images from', data.source],
    ['data fingerprint', data.fingerprint],
    ...Object.keys(options).map((name) => [name, optionText(summary, name) ?? DASH] as const),
  ];
  const heading = isOneOfSeveral ? `Provenance of ${escapeHtml(model.name)}` : 'Provenance';
  return `<section>\n<h2>${heading}</h2>\n${definitions('source', entries)}\n</section>`;
}
