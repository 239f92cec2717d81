/** The tables of the HTML report. All text goes through `escapeHtml`; numbers carry their exact value. */
import type { LayerSummary, Summary } from '../run/summary.js';
import { columnsOfReport, type ReportColumn } from './columns.js';
import { fixed, grouped } from './numbers.js';
import { byCriticality, headlineOf, meanCriticality, meanOf, resetsOf } from './overview.js';
import { escapeHtml } from './text.js';

const BAR_COLUMN = 'criticality %';
/** Columns whose mean over layers means something; given in the last row. */
const AVERAGED: ReadonlySet<string> = new Set([BAR_COLUMN, 'agreement %', 'cosine', 'top-1 %', 'top-5 %']);

/** One row per layer in graph order, all columns, the mean over layers last. */
export function layersTable(summary: Summary): string {
  const columns = columnsOfReport(summary);
  const heads = columns.map(
    ({ title, meaning, value }) =>
      `<th scope="col"${value === undefined ? '' : ' class="number"'} title="${escapeHtml(meaning)}">${escapeHtml(title)}</th>`,
  );
  const rows = summary.layers.map(
    (layer) =>
      `<tr><th scope="row">${escapeHtml(layer.layer)}</th>${columns.map((column) => cell(column, layer)).join('')}</tr>`,
  );
  const resets = resetsOf(summary);
  const means = resets.map((reset) => {
    const layers = summary.layers.filter((layer) => layer.reset === reset);
    const name = `mean over layers${resets.length > 1 ? ` · ${reset}` : ''}`;
    return `<tr><th scope="row">${escapeHtml(name)}</th>${columns.map((column) => meanCell(column, layers)).join('')}</tr>`;
  });
  return `<div class="scroll" role="region" aria-label="Table of all layers" tabindex="0">
<table class="sortable">
<caption>Every layer of ${escapeHtml(summary.model.name)}, in graph order.</caption>
<thead>
<tr><th scope="col">layer</th>${heads.join('')}</tr>
</thead>
<tbody>
${rows.join('\n')}
</tbody>
<tfoot>
${means.join('\n')}
</tfoot>
</table>
</div>`;
}

function cell({ title, text, value }: ReportColumn, layer: LayerSummary): string {
  const shown = escapeHtml(text(layer));
  if (value === undefined) return `<td>${shown}</td>`;
  const exact = value(layer);
  const data = ` data-value="${exact ?? ''}"`;
  if (title !== BAR_COLUMN || exact === null) return `<td class="number"${data}>${shown}</td>`;
  const share = fixed(Math.min(100, Math.max(0, exact)), 1);
  return `<td class="number bar" style="--share:${share}%"${data}>${shown}</td>`;
}

function meanCell({ title, value }: ReportColumn, layers: readonly LayerSummary[]): string {
  if (value === undefined) return '<td></td>';
  if (!AVERAGED.has(title)) return '<td class="number"></td>';
  return `<td class="number">${fixed(meanOf(layers.map(value)), title === 'cosine' ? 4 : 2)}</td>`;
}

/** One row per model: what a reader compares first. */
export function comparisonTable(summaries: readonly Summary[]): string {
  const rows = summaries.map((summary) => {
    const { model, baseline, data } = summary;
    const { layers } = headlineOf(summary);
    const most = byCriticality(layers)[0];
    const numbers: [number | null, string][] = [
      numberAndText(meanCriticality(layers), 2),
      numberAndText(meanOf(layers.map((layer) => layer.agreement.mean)), 2),
      numberAndText(baseline === null ? null : baseline.top1, 2),
      [layers.length, grouped(layers.length)],
      [data.images, grouped(data.images)],
    ];
    const cells = numbers.map(
      ([value, text]) => `<td class="number" data-value="${value ?? ''}">${text}</td>`,
    );
    return `<tr><th scope="row">${escapeHtml(model.name)}</th>${cells.join('')}<td>${escapeHtml(most?.layer ?? '–')}</td></tr>`;
  });
  const several = summaries.flatMap((summary) => headlineOf(summary).reset ?? []);
  const under = several.length === 0 ? '' : `, under the reset ${[...new Set(several)].join(' or ')}`;
  const titles = ['mean criticality %', 'mean agreement %', 'baseline top-1 %', 'layers', 'images'];
  return `<h2>Models</h2>
<div class="scroll" role="region" aria-label="Table of models" tabindex="0">
<table class="sortable">
<caption>Means over the layers of each model${escapeHtml(under)}.</caption>
<thead>
<tr><th scope="col">model</th>${titles.map((title) => `<th scope="col" class="number">${title}</th>`).join('')}<th scope="col">most critical layer</th></tr>
</thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</div>`;
}

function numberAndText(value: number | null, decimals: number): [number | null, string] {
  return [value, fixed(value, decimals)];
}
