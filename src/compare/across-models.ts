/** What is said across models: mean criticality against their attributes, and by category. Pure. */
import type { CategoryRow, CorrelationRow } from '../figures/rows.js';
import { kendall, spearman } from '../statistics/correlation.js';
import { largest, smallest } from '../statistics/extremes.js';
import { groupedBy } from './numbers.js';

export interface ComparedModel {
  model: string;
  source: string;
  category: string | null;
  attributes: Readonly<Record<string, number>>;
  /** Mean criticality over the layers that all models have, in percent, by reset; a destroyed layer counts as 100. */
  criticality: Readonly<Record<string, number | null>>;
}

export type { CategoryRow, CorrelationRow };

const FEWEST = 3;

/** Names come from files: `constructor` is one, too. */
const own = (numbers: Readonly<Record<string, number>>, name: string) =>
  Object.hasOwn(numbers, name) ? numbers[name] : undefined;

/** Every attribute that at least three models have: over all of them, and without each category in turn. */
export function correlationRows(models: readonly ComparedModel[]): CorrelationRow[] {
  const attributes = [...new Set(models.flatMap((model) => Object.keys(model.attributes)))];
  const categories = [...new Set(models.flatMap(({ category }) => category ?? []))];
  return attributes.flatMap((attribute) =>
    resetsOf(models).flatMap((reset) =>
      [null, ...(categories.length > 1 ? categories : [])].flatMap((without) => {
        const kept = models.filter(({ category }) => without === null || category !== without);
        const pairs = kept.flatMap((model) => {
          const [x, y] = [model.criticality[reset], own(model.attributes, attribute)];
          return typeof x === 'number' && y !== undefined ? [{ x, y }] : [];
        });
        if (pairs.length < FEWEST) return [];
        const [x, y] = [pairs.map((pair) => pair.x), pairs.map((pair) => pair.y)];
        return [
          {
            attribute,
            reset,
            without,
            models: pairs.length,
            spearman: spearman(x, y),
            kendall: kendall(x, y),
          },
        ];
      }),
    ),
  );
}

/** Categories in the order in which they appear. */
export function categoryRows(models: readonly ComparedModel[]): CategoryRow[] {
  const groups = groupedBy(
    models.filter(({ category }) => category !== null),
    ({ category }) => category!,
  );
  return [...groups].flatMap(([category, ofCategory]) =>
    resetsOf(models).flatMap((reset) => {
      const values = ofCategory.flatMap(({ criticality }) => criticality[reset] ?? []);
      if (values.length === 0) return [];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const sd = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null;
      return [
        {
          category,
          reset,
          models: values.length,
          mean,
          sd,
          min: smallest(values),
          max: largest(values),
        },
      ];
    }),
  );
}

const resetsOf = (models: readonly ComparedModel[]) => [
  ...new Set(models.flatMap(({ criticality }) => Object.keys(criticality))),
];
