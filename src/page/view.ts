/** What is chosen, and the numbers that follow from it: rows are models, columns are layers of one panel. */
import type { Ramp } from './colours.js';
import { cellOf, type Dataset } from './dataset.js';
import { DASH, fixed, probability } from './numbers.js';
import type { PageLayer, PageMetric, PageModel, PagePanel } from './page-data.js';

export type Order = 'category' | 'name' | 'mean' | 'accuracy';

export interface Choices {
  metric: PageMetric;
  imageSet: number;
  panel: number;
  /** Index of the model that values are differences to. */
  compare: number | null;
  order: Order;
  /** Parts of names, in any case. */
  models: string;
  layers: string;
}

export interface Row {
  /** Index within the panel. */
  at: number;
  model: PageModel;
  /** Of what is shown of it. */
  mean: number;
  sd: number;
}

export interface Column {
  at: number;
  layer: PageLayer;
  mean: number;
  sd: number;
}

/** Everything that drawing needs. */
export interface Shown {
  data: Dataset;
  choices: Choices;
  panel: PagePanel;
  rows: Row[];
  columns: Column[];
  range: [number, number];
  ramp: Ramp;
  /** `criticality (%)` */
  title: string;
}

/** Mean and population standard deviation of what is known. */
function margin(values: readonly number[]): { mean: number; sd: number } {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return { mean: Number.NaN, sd: Number.NaN };
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return { mean, sd: Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length) };
}

/** The model's number, or how much more it is than that of the model it is compared with. */
export function valueAt(
  { data, choices, panel }: Pick<Shown, 'data' | 'choices' | 'panel'>,
  model: number,
  layer: number,
) {
  const { metric, imageSet, compare } = choices;
  const cell = cellOf({ panel, model, layer });
  if (compare === null) return data.at(imageSet, metric.id, cell);
  // Of pairs it is over the slices that both have.
  if (data.isTested(metric, compare, imageSet)) return data.at(imageSet, 'difference', cell);
  const other = panel.models.indexOf(compare);
  if (other < 0) return Number.NaN;
  return (
    data.at(imageSet, metric.id, cell) - data.at(imageSet, metric.id, cellOf({ panel, model: other, layer }))
  );
}

export function intervalAt({ data, choices, panel }: Shown, model: number, layer: number): [number, number] {
  const { metric, imageSet, compare } = choices;
  const name = compare === null ? metric.id : data.isTested(metric, compare, imageSet) ? 'difference' : null;
  if (name === null) return [Number.NaN, Number.NaN];
  const cell = cellOf({ panel, model, layer });
  return [data.at(imageSet, `${name}.low`, cell), data.at(imageSet, `${name}.high`, cell)];
}

const has = (text: string, part: string) => part === '' || text.toLowerCase().includes(part.toLowerCase());

export function shownOf(data: Dataset, choices: Choices): Shown {
  const panel = data.page.panels[choices.panel]!;
  const { metric, compare } = choices;
  const base = { data, choices, panel };
  const categoryOf = ({ category }: PageModel) =>
    category === null ? '' : data.page.categories[category]!.label;
  const models = panel.models
    .map((index, at) => ({ at, model: data.page.models[index]!, index }))
    .filter(({ model, index }) => {
      const words = choices.models.trim();
      return (
        index !== compare && (has(model.name, words) || has(model.id, words) || has(categoryOf(model), words))
      );
    });
  const layers = panel.layers
    .map((layer, at) => ({ at, layer }))
    .filter(({ layer }) => {
      const words = choices.layers.trim();
      return has(layer.label, words) || has(layer.layer, words) || has(layer.kind ?? '', words);
    });
  const rows = models.map(({ at, model }) => ({
    ...{ at, model },
    ...margin(layers.map((layer) => valueAt(base, at, layer.at))),
  }));
  const columns = layers.map(({ at, layer }) => ({
    ...{ at, layer },
    ...margin(models.map((model) => valueAt(base, model.at, at))),
  }));
  const unit = compare === null ? metric.unit : metric.unit === '%' ? 'points' : metric.unit;
  const name = compare === null ? metric.label : `difference in ${metric.label}`;
  return {
    ...base,
    rows: inOrder(rows, choices.order),
    columns,
    range: rangeOf(base, rows, columns),
    ramp: compare !== null ? 'diverging' : metric.isReversed ? 'falling' : 'rising',
    title: unit === '' ? name : `${name} (${unit})`,
  };
}

function inOrder(rows: Row[], order: Order): Row[] {
  const down = (a: number, b: number) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : b - a);
  if (order === 'mean') return rows.sort((a, b) => down(a.mean, b.mean));
  if (order === 'accuracy') {
    return rows.sort((a, b) => down(a.model.accuracy ?? Number.NaN, b.model.accuracy ?? Number.NaN));
  }
  // As the panel has them they are by category.
  return order === 'name' ? rows.sort((a, b) => a.model.name.localeCompare(b.model.name, 'en')) : rows;
}

/** That of the metric, else from what is shown; of differences as far below 0 as above. */
function rangeOf(
  base: Pick<Shown, 'data' | 'choices' | 'panel'>,
  rows: readonly Row[],
  columns: readonly Column[],
): [number, number] {
  const { metric, compare } = base.choices;
  if (compare === null && metric.range !== null) return metric.range;
  let [least, most] = [0, 0];
  for (const row of rows) {
    for (const { at } of columns) {
      const value = valueAt(base, row.at, at);
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  if (compare === null) return [least < 0 ? -roundedUp(-least) : 0, roundedUp(most)];
  const edge = roundedUp(Math.max(-least, most));
  return [-edge, edge];
}

/** To one leading digit: an axis ends at a number that is easily read. */
function roundedUp(value: number): number {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return Number((Math.ceil(value / unit) * unit).toPrecision(3));
}

/** Share of the range from 0 to 1. */
export const shareOf = ({ range: [low, high] }: Shown, value: number) =>
  Math.max(0, Math.min(1, (value - low) / (high - low)));

/** `+3.21 points`, `85.31 %`. */
export function valueText({ choices: { metric, compare } }: Shown, value: number): string {
  const text = fixed(value, metric.decimals);
  if (text === DASH) return 'not measured';
  const signed = compare !== null && value > 0 ? `+${text}` : text;
  const unit = compare !== null && metric.unit === '%' ? 'points' : metric.unit;
  return unit === '' ? signed : `${signed} ${unit}`;
}

/** What is said of a cell: its number, interval, and how sure a difference is. */
export function cellLines(shown: Shown, model: number, layer: number): string[] {
  const { data, choices, panel } = shown;
  const { metric, imageSet, compare } = choices;
  const cell = cellOf({ panel, model, layer });
  const [low, high] = intervalAt(shown, model, layer);
  const interval = Number.isFinite(low)
    ? ` [${fixed(low, metric.decimals)}, ${fixed(high, metric.decimals)}]`
    : '';
  const lines = [`${valueText(shown, valueAt(shown, model, layer))}${interval}`];
  if (compare !== null) {
    lines.push(
      `${metric.label} ${fixed(data.at(imageSet, metric.id, cell), metric.decimals)} ${metric.unit}`.trim(),
    );
    if (data.isTested(metric, compare, imageSet)) {
      const p = data.at(imageSet, 'p', cell);
      if (Number.isFinite(p)) {
        const adjusted = [
          `Holm ${probability(data.at(imageSet, 'pHolm', cell))}`,
          `BH ${probability(data.at(imageSet, 'pBh', cell))}`,
        ];
        lines.push(`p ${probability(p)} (${adjusted.join(', ')})`);
      }
    }
  }
  const count = (name: string, word: string) => {
    const value = data.at(imageSet, name, cell);
    return Number.isFinite(value) && value > 0
      ? [`${value.toLocaleString('en')} ${word}${value === 1 ? '' : 's'}`]
      : [];
  };
  const counts = [...count('draws', 'draw'), ...count('images', 'image')];
  if (counts.length > 0) lines.push(counts.join(', '));
  if (data.at(imageSet, 'isDestroyed', cell) === 1) lines.push('no valid output: counts as 100');
  return lines;
}

/** What is said of a model or a layer. */
export function marginLines(shown: Shown, { mean, sd }: Pick<Row, 'mean' | 'sd'>): string[] {
  return [`mean ${valueText(shown, mean)}, sd ${fixed(sd, shown.choices.metric.decimals)}`];
}
