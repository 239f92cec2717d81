/** Every statistic that figures show, by name: the JSON beside a report. Percentages and points; no times, equal bytes. */
import { imageSetAgreement, type MetricAgreement, metricAgreement } from './agreement-figures.js';
import { cellIndex, criticalityOf, type FigureCell, type FigureData, type FigureDifference } from './data.js';
import { normOf } from './scatters.js';
import { type StageMean, stageMeans } from './stages.js';

interface Place {
  model: string;
  layer: string;
}

/** The shape of a report's JSON. */
export interface ReportStatistics {
  version: 1;
  title: string;
  reset: string;
  baseline: string | null;
  intervals: string | null;
  overall: { models: number; layers: number; cells: number; mean: number | null };
  /** `sdLayers`: population standard deviation over the model's layers. */
  models: {
    id: string;
    name: string;
    category: string | null;
    accuracy: number | null;
    panel: number;
    mean: number | null;
    sdLayers: number | null;
  }[];
  /** `sdModels`: population standard deviation over models. */
  layers: {
    panel: number;
    layer: string;
    label: string;
    stage: string;
    depth: number;
    mean: number | null;
    sdModels: number | null;
  }[];
  categories: { id: string; models: number; mean: number; sd: number | null; min: number; max: number }[];
  stages: StageMean[];
  correlations: {
    attribute: string;
    without: string | null;
    n: number;
    spearman: number | null;
    spearmanP: number | null;
    kendall: number | null;
    kendallP: number | null;
  }[];
  /** Sample standard deviation over draws, of all cells that have it. */
  spread: { mean: number; max: number; maxAt: Place } | null;
  intervalWidth: { mean: number; max: number; maxAt: Place } | null;
  difference: {
    to: string;
    max: number;
    maxAt: Place;
    min: number;
    minAt: Place;
    tested: number;
    holm: number;
    bh: number;
  } | null;
  /** Mean criticality by norm and budget of adversarial training. */
  attributes: { attribute: 'budget'; norm: string | null; budget: number; models: string[]; mean: number }[];
  imageSets: ReturnType<typeof imageSetAgreement>;
  metrics: MetricAgreement[];
  cells: Omit<FigureCell, 'metrics'>[];
  differences: FigureDifference[];
  notes: string[];
}

const ALPHA = 0.05;
const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and population standard deviation of what is known. */
function margins(values: readonly (number | null | undefined)[]): { mean: number | null; sd: number | null } {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return { mean: null, sd: null };
  const mean = meanOf(known);
  return { mean, sd: Math.sqrt(meanOf(known.map((value) => (value - mean) ** 2))) };
}

export function statisticsOf(data: FigureData): ReportStatistics {
  const cellOf = cellIndex(data.cells);
  const at = (model: string, layer: string) => {
    const cell = cellOf(model, layer);
    return cell ? criticalityOf(cell) : null;
  };
  const values = data.cells.map(criticalityOf);
  return {
    version: 1,
    ...{ title: data.title, reset: data.reset, baseline: data.baseline, intervals: data.intervals },
    overall: {
      models: data.models.length,
      layers: data.panels.reduce((sum, { layers }) => sum + layers.length, 0),
      cells: values.filter((value) => value !== null).length,
      mean: margins(values).mean,
    },
    models: data.models.map(({ id, name, category, accuracy, panel }) => {
      const { mean, sd } = margins(data.panels[panel]!.layers.map(({ layer }) => at(id, layer)));
      return { id, name, category, accuracy, panel, mean, sdLayers: sd };
    }),
    layers: data.panels.flatMap(({ layers, models }, panel) =>
      layers.map(({ layer, label, stage, depth }) => {
        const { mean, sd } = margins(models.map((model) => at(model, layer)));
        return { panel, layer, label, stage, depth, mean, sdModels: sd };
      }),
    ),
    categories: data.categoryMeans.map(({ category, models, mean, sd, min, max }) => ({
      ...{ id: category, models, mean, sd, min, max },
    })),
    stages: stageMeans(data),
    correlations: data.correlations.map(({ attribute, without, models, spearman, kendall }) => ({
      ...{ attribute, without, n: models },
      ...{ spearman: spearman?.coefficient ?? null, spearmanP: spearman?.p ?? null },
      ...{ kendall: kendall?.coefficient ?? null, kendallP: kendall?.p ?? null },
    })),
    spread: largest(data.cells.map((cell) => ({ ...cell, value: cell.spread }))),
    intervalWidth: largest(
      data.cells.map((cell) => ({
        ...cell,
        value: cell.low === null || cell.high === null ? null : cell.high - cell.low,
      })),
    ),
    difference: differenceOf(data),
    attributes: budgetsOf(data),
    imageSets: imageSetAgreement(data),
    metrics: metricAgreement(data),
    cells: data.cells.map(({ metrics: _, ...cell }) => cell),
    differences: data.differences,
    notes: data.notes,
  };
}

function largest(cells: readonly (Place & { value: number | null })[]): ReportStatistics['spread'] {
  const known = cells.flatMap(({ model, layer, value }) => (value === null ? [] : [{ model, layer, value }]));
  const [first] = known;
  if (!first) return null;
  const most = known.reduce((a, b) => (b.value > a.value ? b : a), first);
  return {
    mean: meanOf(known.map(({ value }) => value)),
    max: most.value,
    maxAt: { model: most.model, layer: most.layer },
  };
}

function differenceOf({ differences, baseline }: FigureData): ReportStatistics['difference'] {
  const known = differences.flatMap(({ model, layer, difference }) =>
    difference === null ? [] : [{ model, layer, difference }],
  );
  const [first] = known;
  if (!first || baseline === null) return null;
  const most = known.reduce((a, b) => (b.difference > a.difference ? b : a), first);
  const least = known.reduce((a, b) => (b.difference < a.difference ? b : a), first);
  const below = (name: 'pHolm' | 'pBh') => differences.filter((row) => (row[name] ?? 1) < ALPHA).length;
  return {
    to: baseline,
    max: most.difference,
    maxAt: { model: most.model, layer: most.layer },
    min: least.difference,
    minAt: { model: least.model, layer: least.layer },
    tested: differences.filter(({ p }) => p !== null).length,
    holm: below('pHolm'),
    bh: below('pBh'),
  };
}

function budgetsOf({ models }: FigureData): ReportStatistics['attributes'] {
  const groups = new Map<string, ReportStatistics['attributes'][number] & { values: number[] }>();
  for (const model of models) {
    const { budget } = model.attributes;
    if (typeof budget !== 'number' || model.mean === null) continue;
    const norm = model.attributes.norm ?? model.attributes.attack;
    const key = JSON.stringify([normOf(model), budget]);
    const found = groups.get(key);
    if (found) {
      found.models.push(model.id);
      found.values.push(model.mean);
    } else {
      const name = typeof norm === 'string' ? norm : null;
      const head = { attribute: 'budget' as const, norm: name, budget, models: [model.id] };
      groups.set(key, { ...head, mean: 0, values: [model.mean] });
    }
  }
  return [...groups.values()].map(({ values, ...group }) => ({ ...group, mean: meanOf(values) }));
}
