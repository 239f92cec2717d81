/** A comparison as a command does it: the table of what differs most, everything as CSV or JSON. */
import type { ModelComparison } from '../compare/compare.js';
import { compareRuns } from '../compare/compare-runs.js';
import type { LayerDifference } from '../compare/differences.js';
import { CritmapError } from '../errors.js';
import { csvField } from '../files/csv.js';
import { writeOutput } from '../files/replace.js';
import { decimalsFor } from './digits.js';
import { json, print, shown } from './terminal.js';
import { textTable } from './text-table.js';

export interface CompareArguments {
  sources: string[];
  baseline: string | undefined;
  categories: string | undefined;
  accuracies: string | undefined;
  attributes: string | undefined;
  imageSet: string | undefined;
  exclude: string[] | undefined;
  confidence: number;
  out: string | undefined;
  limit: number;
  json: boolean;
}

/** @throws what {@link compareRuns} throws; CritmapError (ERR_RUN) when the CSV file cannot be written */
export async function compare(argv: CompareArguments): Promise<void> {
  const { sources, out, limit, confidence } = argv;
  if (!(confidence > 0 && confidence < 1)) {
    throw new CritmapError('ERR_OPTION', `--confidence ${confidence} is not between 0 and 1`);
  }
  if (!(Number.isInteger(limit) && limit >= 0)) {
    throw new CritmapError('ERR_OPTION', `--limit ${limit} is not a whole number from 0`);
  }
  const { baseline, categories, accuracies, attributes, exclude, imageSet } = argv;
  const options = { baseline, categories, accuracies, attributes, exclude, imageSet, confidence };
  const comparison = await compareRuns(sources, options);
  if (out !== undefined) await writeOutput(out, csvOf(comparison));
  print(argv.json ? json(comparison, 1) : `${shown(textOf(comparison, limit)).join('\n')}\n`);
}

type Compared = ModelComparison['differences'][number];

const columns = [
  ...(['model', 'category', 'layer', 'reset', 'mean', 'baselineMean', 'difference', 'low', 'high'] as const),
  ...(['test', 'statistic', 'freedom', 'p', 'pHolm', 'pBh'] as const),
] satisfies (keyof Compared)[];

function csvOf({ differences }: ModelComparison): string {
  const rows = differences.map((row) => columns.map((name) => csvField(row[name] ?? null)).join(','));
  return `${[columns.join(','), ...rows].join('\n')}\n`;
}

function textOf(comparison: ModelComparison, limit: number): string[] {
  const { baseline, differences, correlations, models, notes, confidence } = comparison;
  const below = (name: 'p' | 'pBh' | 'pHolm') => differences.filter((row) => (row[name] ?? 1) < 0.05).length;
  // One table has a name for every reset, or needs none.
  const isNamed = differences.some(({ reset }) => reset !== 'random');
  const nameOf = ({ layer, reset }: LayerDifference) => (isNamed ? `${layer} ${reset}` : layer);
  return [
    `${models.length} models, ${differences.length} differences to ${baseline}; p < 0.05: ${below('p')}, after Benjamini-Hochberg ${below('pBh')}, after Holm ${below('pHolm')}`,
    '',
    ...table(
      [
        'model',
        'layer',
        'criticality',
        'baseline',
        `difference (${Math.round(100 * confidence)} %)`,
        'p (Holm)',
        'test',
      ],
      differences.slice(0, limit).map((row) => rowOf(row, nameOf)),
    ),
    ...(differences.length > limit
      ? [`and ${differences.length - limit} more (--limit, --out FILE.csv)`]
      : []),
    ...correlationText(correlations),
    ...notes.map((note) => `note: ${note}`),
  ];
}

function rowOf(
  row: LayerDifference & { pHolm: number | null },
  nameOf: (row: LayerDifference) => string,
): string[] {
  const { model, mean, baselineMean, difference, low, high, pHolm, test } = row;
  const digits = decimalsFor(row);
  const range = low === null || high === null ? '' : ` (${signed(low, digits)} to ${signed(high, digits)})`;
  return [
    model,
    nameOf(row),
    fixed(mean, digits),
    fixed(baselineMean, digits),
    difference === null ? '–' : `${signed(difference, digits)}${range}`,
    pHolm === null ? '–' : probability(pHolm),
    test ?? '–',
  ];
}

function correlationText(rows: ModelComparison['correlations']): string[] {
  if (rows.length === 0) return [];
  return [
    '',
    'mean criticality over models against',
    ...table(
      ['attribute', 'without', 'models', 'Spearman', 'p', 'Kendall', 'p'],
      rows.map(({ attribute, without, models, spearman, kendall }) => [
        attribute,
        without ?? '',
        String(models),
        ...[spearman, kendall].flatMap((one) =>
          one === null ? ['–', '–'] : [signed(one.coefficient, 3), one.p === null ? '–' : probability(one.p)],
        ),
      ]),
    ),
  ];
}

/** The first two columns and the last to the left, numbers to the right. */
const table = (head: string[], rows: string[][]) =>
  rows.length === 0 ? [] : textTable(head, rows, (column) => column < 2 || column === head.length - 1);

const fixed = (value: number | null, digits: number) => (value === null ? '–' : value.toFixed(digits));
const signed = (value: number, digits: number) =>
  `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(digits)}`;
const probability = (p: number) => (p < 1e-4 ? p.toExponential(1) : p.toFixed(4));
