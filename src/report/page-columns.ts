/** Cells of a page's models as columns for its script, and what it says of each metric. */

import { measures } from '../native/columns.js';
import type { PackedColumn, PageMetric } from '../page/page-data.js';
import type { LayerSummary } from '../run/summary.js';

/** A mean and the ends of its interval. */
export interface MeanInterval {
  mean: number | null;
  low: number | null;
  high: number | null;
}

/** What is known of one layer of one model. */
export interface CellNumbers extends MeanInterval {
  isDestroyed: boolean;
  /** Sample standard deviation over draws of a crossed design, else the estimated one between draws; points. */
  spread: number | null;
  agreement: MeanInterval | null;
  /** All metrics by name, for how they agree. */
  metrics: Readonly<Record<string, number | null>>;
  images: number | null;
  draws: number | null;
  passes: number | null;
  /** Images after which it was known as well as asked for. */
  stoppedAt: number | null;
}

export interface DifferenceNumbers {
  /** Percentage points, model minus baseline. */
  difference: number | null;
  low: number | null;
  high: number | null;
  p: number | null;
  pHolm: number | null;
  pBh: number | null;
}

/** What a run's summary says of a layer. */
export function cellNumbers(layer: LayerSummary): CellNumbers {
  const { criticality, agreement, images, draws, passes, stoppedAt, invalid } = layer;
  const others = measures.map(
    ({ name }) => [name, layer[name as keyof LayerSummary] as number | null] as const,
  );
  return {
    ...{ mean: criticality.mean, low: criticality.low, high: criticality.high },
    ...{ images, draws, passes, stoppedAt, isDestroyed: passes > 0 && invalid === passes },
    spread: criticality.sdTrial ?? criticality.sdDraws,
    agreement: { mean: agreement.mean, low: agreement.low, high: agreement.high },
    metrics: {
      criticality: criticality.mean,
      agreement: agreement.mean,
      ...Object.fromEntries(others.filter(([, value]) => value !== null && value !== undefined)),
    },
  };
}

/** @returns null where no cell has a number */
function packed(values: readonly (number | null | undefined)[]): PackedColumn | null {
  const [first] = values;
  if (typeof first === 'number' && values.every((value) => value === first)) return first;
  if (values.every((value) => value === null || value === undefined)) return null;
  const numbers = Float32Array.from(values, (value) => value ?? Number.NaN);
  return Buffer.from(numbers.buffer).toString('base64');
}

/**
 * @param cells - of every model and layer of every panel, in order; null where a model was not measured
 * @param differences - likewise, to the baseline
 */
export function columnsOfCells(
  cells: readonly (CellNumbers | null)[],
  differences: readonly (DifferenceNumbers | null)[] = [],
): Record<string, PackedColumn> {
  const names = new Set(cells.flatMap((cell) => (cell ? Object.keys(cell.metrics) : [])));
  names.delete('criticality');
  names.delete('agreement');
  const of = (value: (cell: CellNumbers) => number | null | undefined) =>
    packed(cells.map((cell) => (cell ? value(cell) : null)));
  const between = (value: (row: DifferenceNumbers) => number | null) =>
    packed(differences.map((row) => (row ? value(row) : null)));
  const found: [string, PackedColumn | null][] = [
    ['criticality', of(({ mean, isDestroyed }) => (isDestroyed ? 100 : mean))],
    ['criticality.low', of(({ low }) => low)],
    ['criticality.high', of(({ high }) => high)],
    ['agreement', of(({ agreement }) => agreement?.mean)],
    ['agreement.low', of(({ agreement }) => agreement?.low)],
    ['agreement.high', of(({ agreement }) => agreement?.high)],
    ...[...names].map((name): [string, PackedColumn | null] => [name, of(({ metrics }) => metrics[name])]),
    ['spread', of(({ spread }) => spread)],
    ['width', of(({ low, high }) => (low === null || high === null ? null : high - low))],
    ['stoppedAt', of(({ stoppedAt }) => stoppedAt)],
    ['images', of(({ images }) => images)],
    ['draws', of(({ draws }) => draws)],
    ['passes', of(({ passes }) => passes)],
    [
      'isDestroyed',
      cells.some((cell) => cell?.isDestroyed) ? of(({ isDestroyed }) => Number(isDestroyed)) : null,
    ],
    ['difference', between(({ difference }) => difference)],
    ['difference.low', between(({ low }) => low)],
    ['difference.high', between(({ high }) => high)],
    ['p', between(({ p }) => p)],
    ['pHolm', between(({ pHolm }) => pHolm)],
    ['pBh', between(({ pBh }) => pBh)],
  ];
  return Object.fromEntries(found.flatMap(([name, column]) => (column === null ? [] : [[name, column]])));
}

const percent = { unit: '%', decimals: 2, range: [0, 100] as [number, number] };
const METRICS: readonly PageMetric[] = [
  {
    ...{ id: 'criticality', label: 'criticality', ...percent, isReversed: false },
    meaning: 'How far predictions move when the layer is reset: 0 not at all, 100 completely.',
  },
  {
    ...{ id: 'agreement', label: 'agreement', ...percent, isReversed: true },
    meaning: 'Images whose predicted class stays.',
  },
  {
    ...{ id: 'cosine', label: 'cosine', unit: '', decimals: 4, range: [0, 1], isReversed: true },
    meaning: 'Mean cosine similarity of the probabilities before and after.',
  },
  {
    ...{ id: 'l1', label: 'L1', unit: '', decimals: 4, range: [0, 2], isReversed: false },
    meaning: 'Mean L1 distance of the probabilities.',
  },
  {
    ...{ id: 'l2', label: 'L2', unit: '', decimals: 4, range: null, isReversed: false },
    meaning: 'Mean L2 distance of the probabilities.',
  },
  {
    ...{ id: 'kl', label: 'KL', unit: 'nats', decimals: 3, range: null, isReversed: false },
    meaning: 'Mean Kullback–Leibler divergence of the probabilities.',
  },
  {
    ...{ id: 'js', label: 'JS', unit: '', decimals: 4, range: [0, 1], isReversed: false },
    meaning: 'Mean Jensen–Shannon divergence of the probabilities, 0 to 1.',
  },
  {
    ...{ id: 'top1', label: 'top-1 accuracy', ...percent, isReversed: true },
    meaning: 'Top-1 accuracy after the reset.',
  },
  {
    ...{ id: 'top5', label: 'top-5 accuracy', ...percent, isReversed: true },
    meaning: 'Top-5 accuracy after the reset.',
  },
  {
    ...{ id: 'loss', label: 'loss', unit: 'nats', decimals: 3, range: null, isReversed: false },
    meaning: 'Mean cross-entropy after the reset.',
  },
  {
    ...{
      id: 'spread',
      label: 'spread between draws',
      unit: 'points',
      decimals: 2,
      range: null,
      isReversed: false,
    },
    meaning: 'Standard deviation of criticality between draws.',
  },
  {
    ...{
      id: 'width',
      label: 'width of the interval',
      unit: 'points',
      decimals: 2,
      range: null,
      isReversed: false,
    },
    meaning: 'Of criticality’s interval, from its lower to its upper end.',
  },
  {
    ...{
      id: 'stoppedAt',
      label: 'images until known',
      unit: '',
      decimals: 0,
      range: null,
      isReversed: false,
    },
    meaning: 'Images after which the layer was known as well as asked for.',
  },
];

/** Those that some set of images has; criticality is always there. */
export function metricsOf(
  sets: readonly { columns: Readonly<Record<string, PackedColumn>> }[],
): PageMetric[] {
  return METRICS.filter(({ id }, i) => i === 0 || sets.some(({ columns }) => Object.hasOwn(columns, id)));
}
