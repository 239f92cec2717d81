/**
 * Figures of many models as one HTML page, with the font inside and nothing loaded from outside; names from files are text.
 * Equal data give equal bytes.
 */
import { probability } from '../page/numbers.js';
import { explorerHtml, methodsHtml } from '../report/explorer.js';
import { type Inserted, pageOf } from '../report/html.js';
import { fixed, grouped } from '../report/numbers.js';
import { DASH, escapeHtml } from '../report/text.js';
import { MOST_CELLS_OF_PAGE } from './all-figures.js';
import type { FigureData } from './data.js';
import { pageData } from './page-data.js';
import { inlineSvg } from './render.js';
import type { ReportStatistics } from './statistics.js';
import type { Drawing } from './style.js';
import { fontFaces } from './typeface.js';

/** White lines and white text backgrounds turn with the page; figures may use its whole width. */
const STYLE = `
.facts { grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); }
.atlas .plot svg { max-width: 100%; height: auto; }
.atlas .plot svg.wide { min-width: 44rem; }
.plot svg line[stroke='#FFFFFF'] { stroke: var(--page); }
.plot svg line[stroke='#6B6B6B'], .plot svg path[stroke='#6B6B6B'] { stroke: var(--muted); }
.plot svg .mark-symbol path[fill='#222222'] { fill: var(--ink); }
.plot svg .tests_marks path { stroke: #222222; }
.plot svg .tests_marks path[fill='#222222'] { fill: #222222; }
`;
const WIDE = 700;
/** Some 12,000 cells. */
const MOST_CHARACTERS = 800_000;
/** Figures whose numbers the script shows too. */
const EXPLORED = /^(map|depth-map|difference|spread|interval-width|cost|profile)(-|$)/;

/** The figures as sections of a page, and the style sheet they need besides. */
export async function figureSections(
  data: FigureData,
  drawings: readonly Drawing[],
  heading = 'Figures',
): Promise<Inserted> {
  const parts: string[] = [];
  for (const drawing of drawings) {
    if (sizeOf(drawing) <= MOST_CHARACTERS) parts.push(await figureHtml(drawing));
  }
  const isLarge =
    parts.length < drawings.length ||
    data.panels.some(({ models, layers }) => models.length * layers.length > MOST_CELLS_OF_PAGE);
  const note = isLarge
    ? '<p class="warning">The largest figures are not among these: what is above shows every cell, and <code>--format svg,pdf,png</code> draws each into a file.</p>\n'
    : '';
  return {
    html: `${explorerHtml(pageData(data), isLarge)}\n<section class="atlas">\n<h2>${escapeHtml(heading)}</h2>\n${note}${parts.join('\n')}\n</section>`,
    style: `${STYLE}${fontFaces()}`,
    methods: data.methods,
  };
}

/** Of its specification, which holds its data. */
const sizeOf = ({ spec }: Drawing) => JSON.stringify(spec).length;

async function figureHtml({ id, title, caption, spec }: Drawing): Promise<string> {
  const anchor = `figure-${escapeHtml(id)}`;
  const svg = await inlineSvg(spec, `${anchor}-part`);
  const isWide = Number(/width="(\d+)/.exec(svg)?.[1]) > WIDE;
  const labelled = svg
    .replace('class="marks"', `class="${isWide ? 'marks wide' : 'marks'}"`)
    .replace('<svg ', `<svg role="img" aria-labelledby="${anchor}" `);
  const figure = `<figure>
<figcaption><h3 id="${anchor}">${escapeHtml(title)}</h3>${escapeHtml(caption)}</figcaption>
<div class="plot" tabindex="0" role="group" aria-label="${escapeHtml(title)}">${labelled}</div>
</figure>`;
  if (!EXPLORED.test(id)) return figure;
  return `<details class="still" open>\n<summary>${escapeHtml(title)}</summary>\n${figure}\n</details>`;
}

/** A page of what was read from a study or from published tables. */
export async function figurePage(
  data: FigureData,
  statistics: ReportStatistics,
  drawings: readonly Drawing[],
): Promise<string> {
  const { html, style, methods } = await figureSections(data, drawings);
  const notes = statistics.notes.map((note) => `<p class="warning">${escapeHtml(note)}</p>`);
  const parts = [
    factsOf(statistics),
    ...notes,
    html,
    modelsTable(data, statistics),
    correlationsTable(statistics),
    methodsHtml(methods),
  ];
  return pageOf(data.title, parts, style);
}

function factsOf({ overall, spread, difference, intervals }: ReportStatistics): string {
  const fact = (term: string, value: string, note: string) =>
    `<div><dt>${term}</dt><dd>${escapeHtml(value)}<small>${escapeHtml(note)}</small></dd></div>`;
  const facts = [
    fact(
      'Mean criticality',
      overall.mean === null ? DASH : `${fixed(overall.mean, 2)} %`,
      `over ${grouped(overall.cells)} cells`,
    ),
    fact('Models', grouped(overall.models), `${grouped(overall.layers)} layers`),
    ...(spread
      ? [
          fact(
            'Spread between draws',
            `${fixed(spread.mean, 2)} points`,
            `at most ${fixed(spread.max, 1)}: ${spread.maxAt.model}, ${spread.maxAt.layer}`,
          ),
        ]
      : []),
    ...(difference
      ? [
          fact(
            `Differences to ${escapeHtml(difference.to)}`,
            `${grouped(difference.bh)} of ${grouped(difference.tested)}`,
            `p < 0.05 after Benjamini and Hochberg; ${grouped(difference.holm)} after Holm`,
          ),
        ]
      : []),
  ];
  const covers = intervals === null ? '' : `<p>Intervals are ${escapeHtml(intervals)}.</p>`;
  return `<section>\n<dl class="facts">\n${facts.join('\n')}\n</dl>\n${covers}</section>`;
}

type Cell = readonly [value: number | null, text: string];

function table(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
): string {
  const isNumber = heads.map((_, i) => rows.some((row) => Array.isArray(row[i])));
  const head = heads.map(
    (title, i) => `<th scope="col"${isNumber[i] ? ' class="number"' : ''}>${escapeHtml(title)}</th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((cell, i) => {
      if (typeof cell !== 'string') return `<td class="number" data-value="${cell[0] ?? ''}">${cell[1]}</td>`;
      return i === 0 ? `<th scope="row">${escapeHtml(cell)}</th>` : `<td>${escapeHtml(cell)}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="scroll" role="region" aria-label="${escapeHtml(caption)}" tabindex="0">
<table class="sortable">
<caption>${escapeHtml(caption)}</caption>
<thead>
<tr>${head.join('')}</tr>
</thead>
<tbody>
${body.join('\n')}
</tbody>
</table>
</div>`;
}

const cellOf = (value: number | null, decimals: number): Cell => [value, fixed(value, decimals)];

function modelsTable(data: FigureData, { models }: ReportStatistics): string {
  const labelOf = new Map(data.categories.map(({ id, label }) => [id, label]));
  const rows = models.map(({ name, category, accuracy, mean, sdLayers }) => [
    ...[name, category === null ? DASH : labelOf.get(category)!],
    ...[cellOf(accuracy, 2), cellOf(mean, 2), cellOf(sdLayers, 2)],
  ]);
  const heads = ['model', 'category', 'accuracy %', 'mean criticality %', 'sd of layers'];
  return `<details class="still" open>\n<summary>Models</summary>\n${table('Means over the layers of each model.', heads, rows)}\n</details>`;
}

function correlationsTable({ correlations }: ReportStatistics): string {
  if (correlations.length === 0) return '';
  const rows = correlations.map(({ attribute, without, n, spearman, spearmanP, kendall, kendallP }) => [
    ...[attribute, without ?? 'none'],
    [n, grouped(n)] as const,
    ...[cellOf(spearman, 3), [spearmanP, probability(spearmanP)] as const],
    ...[cellOf(kendall, 3), [kendallP, probability(kendallP)] as const],
  ]);
  const heads = ['attribute', 'left out', 'models', 'Spearman’s ρ', 'p (ρ)', 'Kendall’s τ-b', 'p (τ-b)'];
  return `<h2>Correlations with mean criticality</h2>\n${table('Over models, with and without each category.', heads, rows)}`;
}
