/** A study's results in a terminal: a row for each model, categories, and what differs most. */
import type { StudyResults } from '../study/results.js';
import { decimalsFor } from './digits.js';
import { textTable } from './text-table.js';

const fixed = (value: number | null | undefined) => (value == null ? '–' : value.toFixed(1));
const signed = (value: number, digits: number) =>
  `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(digits)}`;

const MOST_DIFFERENCES = 5;

export function studyText(results: StudyResults): string[] {
  const { models, imageSets, baseline, notes, resets } = results;
  const [reset = 'random'] = resets;
  const sets = imageSets.map(({ id }) => id);
  const head = [
    ...['model', 'category', 'accuracy'],
    ...sets.flatMap((id) => [id, `differ from ${baseline}`]),
  ];
  const rows = models.map(({ id, category, accuracy, runs }) => [
    id,
    category ?? '',
    fixed(accuracy),
    ...sets.flatMap((set) => [
      fixed(runs[set]?.criticality[reset]),
      id === baseline ? '–' : differing(results, id, set, reset),
    ]),
  ]);
  return [
    `mean criticality over layers, percent${resets.length > 1 ? ` (reset ${reset})` : ''}; layers that differ after Benjamini-Hochberg, 5 %`,
    '',
    ...table(head, rows),
    ...categoryLines(results, reset),
    ...mostDifferent(results),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `note: ${note}`)] : []),
  ];
}

function differing({ differences }: StudyResults, model: string, set: string, reset: string): string {
  const of = differences.filter((row) => row.model === model && row.imageSet === set && row.reset === reset);
  const found = of.filter(({ pBh }) => pBh !== null && pBh < 0.05).length;
  return of.length === 0 ? '–' : `${found} of ${of.length}`;
}

function categoryLines({ categoryMeans, imageSets }: StudyResults, reset: string): string[] {
  const rows = categoryMeans.filter((row) => row.reset === reset);
  const categories = [...new Set(rows.map(({ category }) => category))];
  if (categories.length === 0) return [];
  const cell = (category: string, set: string) => {
    const row = rows.find((one) => one.category === category && one.imageSet === set);
    return row ? `${fixed(row.mean)}${row.sd === null ? '' : ` ± ${row.sd.toFixed(1)}`}` : '–';
  };
  const head = ['category', 'models', ...imageSets.map(({ id }) => id)];
  const lines = categories.map((category) => [
    category,
    String(rows.find((row) => row.category === category)!.models),
    ...imageSets.map(({ id }) => cell(category, id)),
  ]);
  return ['', ...table(head, lines)];
}

function mostDifferent({ differences, imageSetDifferences, baseline, resets }: StudyResults): string[] {
  const lineOf = (row: { low: number | null; high: number | null; difference: number | null }) => {
    const { difference, low, high } = row;
    const told = (value: number) => signed(value, decimalsFor(row));
    if (difference === null) return '–';
    return `${told(difference)}${low === null || high === null ? '' : ` (${told(low)} to ${told(high)})`}`;
  };
  const top = <T extends { difference: number | null; pBh: number | null }>(rows: readonly T[]) =>
    rows
      .filter(({ pBh }) => pBh !== null && pBh < 0.05)
      .sort((a, b) => Math.abs(b.difference ?? 0) - Math.abs(a.difference ?? 0))
      .slice(0, MOST_DIFFERENCES);
  const nameOf = ({ layer, reset }: { layer: string; reset: string }) =>
    resets.every((one) => one === 'random') ? layer : `${layer} ${reset}`;
  const toBaseline = top(differences).map((row) => [row.model, nameOf(row), row.imageSet, lineOf(row)]);
  const between = top(imageSetDifferences).map((row) => [
    row.model,
    nameOf(row),
    `${row.imageSet} − ${row.otherSet}`,
    lineOf(row),
  ]);
  return [
    ...(toBaseline.length > 0
      ? [
          '',
          `farthest from ${baseline}, percentage points (95 %)`,
          ...table(['', '', '', ''], toBaseline).slice(1),
        ]
      : []),
    ...(between.length > 0
      ? ['', 'farthest between sets of images', ...table(['', '', '', ''], between).slice(1)]
      : []),
  ];
}

/** Names to the left, numbers to the right. */
const table = (head: string[], rows: string[][]) => textTable(head, rows, (column) => column < 2);
