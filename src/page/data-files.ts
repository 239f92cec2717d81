/** The page's cells as CSV and JSON. */
import { cellOf, type Dataset, plain } from './dataset.js';

type Value = string | number | null;

/** A row for each cell of each set of images. */
function* cellRows(data: Dataset): Generator<Record<string, Value>> {
  const { page } = data;
  for (const [imageSet, { name }] of page.imageSets.entries()) {
    const columns = data
      .columnNames(imageSet)
      .map((column) => [column, data.column(imageSet, column)!] as const);
    for (const panel of page.panels) {
      for (const [m, index] of panel.models.entries()) {
        const { id, category, accuracy } = page.models[index]!;
        const head = {
          model: id,
          category: category === null ? null : page.categories[category]!.label,
          accuracy,
        };
        for (const [l, { layer, stage, kind }] of panel.layers.entries()) {
          const cell = cellOf({ panel, model: m, layer: l });
          const numbers = columns.map(([column, values]) => [column, plain(values[cell]!)] as const);
          if (numbers.every(([, value]) => value === null)) continue;
          yield {
            ...head,
            imageSet: name,
            reset: page.reset,
            layer,
            stage,
            kind,
            ...Object.fromEntries(numbers),
          };
        }
      }
    }
  }
}

function field(value: Value): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf(data: Dataset): string {
  const names = ['model', 'category', 'accuracy', 'imageSet', 'reset', 'layer', 'stage', 'kind'];
  const columns = [...new Set(data.page.imageSets.flatMap((_, i) => data.columnNames(i)))];
  const lines = [[...names, ...columns].map(field).join(',')];
  for (const row of cellRows(data))
    lines.push([...names, ...columns].map((name) => field(row[name] ?? null)).join(','));
  return `${lines.join('\n')}\n`;
}

export function jsonOf(data: Dataset): string {
  const { title, reset, intervals, baseline, models, methods } = data.page;
  const head = {
    title,
    reset,
    intervals,
    baseline: baseline === null ? null : models[baseline]!.id,
    methods,
  };
  return `${JSON.stringify({ ...head, cells: [...cellRows(data)] }, null, 1)}\n`;
}
