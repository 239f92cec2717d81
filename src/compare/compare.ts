/**
 * Models compared: per layer and reset the difference of criticality to a baseline model, with p-values that are adjusted
 * over all of them; criticality against numbers that models have; categories. Pure.
 */
import { CritmapError, some } from '../errors.js';
import type { Summary } from '../run/summary.js';
import { benjaminiHochberg, holm } from '../statistics/multiple-testing.js';
import {
  type CategoryRow,
  type ComparedModel,
  type CorrelationRow,
  categoryRows,
  correlationRows,
} from './across-models.js';
import { type LayerDifference, layerDifference } from './differences.js';
import { groupedBy, keyOf, type ModelNumbers } from './numbers.js';

export interface CompareOptions {
  /** The model that others are compared with; default the one model of the category `baseline`, else the first. */
  baseline?: string | undefined;
  /** Of the intervals; default 0.95. */
  confidence?: number | undefined;
}

/** One difference, with p-values adjusted over all differences that have one. */
export interface ComparedLayer extends LayerDifference {
  pHolm: number | null;
  pBh: number | null;
}

/** Models compared with one of them: differences layer by layer, and what goes along with the means. */
export interface ModelComparison {
  baseline: string;
  confidence: number;
  models: ComparedModel[];
  /** The most different first. */
  differences: ComparedLayer[];
  correlations: CorrelationRow[];
  categories: CategoryRow[];
  /** What of the comparison a reader must know: layers left out, images that differ, ... */
  notes: string[];
}

/** @throws CritmapError (ERR_OPTION) for fewer than two models, an unknown baseline, or nothing in common */
export function compareModels(
  models: readonly ModelNumbers[],
  { baseline: wanted, confidence = 0.95 }: CompareOptions = {},
): ModelComparison {
  if (models.length < 2) {
    const only = models[0] ? `there is only ${models[0].id} (${models[0].source})` : 'there is none';
    throw new CritmapError('ERR_OPTION', `a comparison needs at least two models, ${only}; give another run`);
  }
  const baseline = baselineOf(models, wanted);
  const { kept, common, notes } = comparable(models, baseline);
  const rowsOf = (model: ModelNumbers) => new Map(model.layers.map((layer) => [keyOf(layer), layer]));
  const found = kept
    .filter((model) => model !== baseline)
    .flatMap((model) => {
      const rows = rowsOf(model);
      return baseline.layers.flatMap((layer) => {
        const own = rows.get(keyOf(layer));
        return own ? [layerDifference(model, own, baseline, layer, confidence)] : [];
      });
    });
  const compared = kept.map((model) => {
    const { id, source, category, attributes } = model;
    const rows = rowsOf(model);
    const criticality = meansByReset(common.map((key) => rows.get(key)!));
    return { model: id, source, category, attributes, criticality };
  });
  return {
    baseline: baseline.id,
    confidence,
    models: compared,
    differences: adjusted(found).sort(mostDifferentFirst),
    correlations: correlationRows(compared),
    categories: categoryRows(compared),
    notes: [...notes, ...notesOf(kept, baseline, found)],
  };
}

function baselineOf(models: readonly ModelNumbers[], wanted: string | undefined): ModelNumbers {
  if (wanted === undefined) {
    const named = models.filter(({ category }) => category === 'baseline');
    return named.length === 1 ? named[0]! : models[0]!;
  }
  const found = models.find(({ id }) => id === wanted);
  if (found) return found;
  throw new CritmapError(
    'ERR_OPTION',
    `--baseline ${JSON.stringify(wanted)} is none of the models: ${some(
      models.map(({ id }) => id),
      10,
    )}`,
  );
}

/**
 * Models that share a layer and reset with the baseline, each of which is compared with it where both have one; and what
 * all of them have, over which their means are taken, in the baseline's order.
 */
function comparable(models: readonly ModelNumbers[], baseline: ModelNumbers) {
  const sets = new Map(models.map((model) => [model, new Set(model.layers.map(keyOf))]));
  const base = baseline.layers.map(keyOf);
  const lackingOf = (model: ModelNumbers) => base.filter((key) => !sets.get(model)!.has(key));
  const kept = models.filter((model) => lackingOf(model).length < base.length);
  const strangers = models.filter((model) => !kept.includes(model));
  if (kept.length < 2) {
    const nameOf = ({ layers }: ModelNumbers) =>
      layers[0] && `${layers[0].layer} with reset ${layers[0].reset}`;
    const [stranger = baseline] = strangers;
    throw new CritmapError(
      'ERR_OPTION',
      `${stranger.id} (${nameOf(stranger)}, ...) has no layer and reset in common with the baseline ${baseline.id} (${nameOf(baseline)}, ...); compare models of one architecture, swept with the same --reset`,
    );
  }
  const common = base.filter((key) => kept.every((model) => sets.get(model)!.has(key)));
  const own = new Set(kept.flatMap((model) => [...sets.get(model)!]));
  const ofAll = new Set(common);
  const left = [...own].filter((key) => !ofAll.has(key)).map((key) => nameOfKey(key));
  return {
    kept,
    common,
    notes: [
      ...(strangers.length > 0
        ? [
            `left out, since they have no layer and reset in common with the baseline: ${some(strangers.map(({ id }) => id))}`,
          ]
        : []),
      ...(left.length > 0
        ? [
            `not all models have these layers, so that means, correlations and categories are of the other ${common.length}: ${some(left, 8)}`,
          ]
        : []),
    ],
  };
}

const nameOfKey = (key: string) => {
  const [layer, reset] = JSON.parse(key) as [string, string];
  return `${layer} (${reset})`;
};

/** A model's mean criticality over layers, by reset; a destroyed layer counts as 100. */
export function meansByReset(layers: ModelNumbers['layers']): Record<string, number | null> {
  const resets = [...new Set(layers.map(({ reset }) => reset))];
  return Object.fromEntries(
    resets.map((reset) => {
      const values = layers
        .filter((layer) => layer.reset === reset)
        .map(({ mean, isDestroyed }) => (isDestroyed ? 100 : mean))
        .filter((value) => value !== null);
      return [
        reset,
        values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null,
      ];
    }),
  );
}

/** p-values adjusted over all of the differences. */
export function adjusted<T extends LayerDifference>(
  found: readonly T[],
): (T & { pHolm: number | null; pBh: number | null })[] {
  const tested = found.flatMap(({ p }, i) => (p === null ? [] : [{ i, p }]));
  const p = tested.map((one) => one.p);
  const [byHolm, byBh] = [holm(p), benjaminiHochberg(p)];
  const rank = new Map(tested.map(({ i }, at) => [i, at]));
  return found.map((one, i) => {
    const at = rank.get(i);
    return { ...one, pHolm: at === undefined ? null : byHolm[at]!, pBh: at === undefined ? null : byBh[at]! };
  });
}

const mostDifferentFirst = (a: LayerDifference, b: LayerDifference) =>
  Math.abs(b.difference ?? 0) - Math.abs(a.difference ?? 0);

function notesOf(
  models: readonly ModelNumbers[],
  baseline: ModelNumbers,
  found: readonly LayerDifference[],
): string[] {
  const others = models.filter((model) => model !== baseline);
  const differing = (what: 'images' | 'design') =>
    others.filter(({ shared }) => shared[what] !== baseline.shared[what]).map(({ id }) => id);
  // What is not drawn needs no seed.
  const isDrawn = baseline.layers.some(({ numbers }) => numbers.kind !== 'slices' || numbers.isRandom);
  const seeds = isDrawn ? otherOptions(others, baseline, 'seed', 0) : [];
  const untested = found.filter(({ p }) => p === null).length;
  const [images, design] = [differing('images'), differing('design')];
  return [
    ...(images.length > 0
      ? [
          `measured on other images than the baseline, so that a difference is of model and images together: ${some(images)}`,
        ]
      : []),
    ...(design.length > 0
      ? [
          `measured with another --images-per-draw than the baseline, so that slices are no pairs: ${some(design)}`,
        ]
      : []),
    ...QUESTION.flatMap(([option, name, preset]) => {
      const other = otherOptions(others, baseline, name, preset);
      return other.length > 0
        ? [
            `swept with another ${option} than the baseline, so that a difference is of model and question together: ${some(other)}`,
          ]
        : [];
    }),
    ...(seeds.length > 0
      ? [`swept with another --seed than the baseline, so that draws are no pairs: ${some(seeds)}`]
      : []),
    ...(untested > 0
      ? [
          `${untested} of ${found.length} differences have no p-value: one of the two has a single draw, or nothing valid was measured`,
        ]
      : []),
    ...notesOfModels(models),
  ];
}

/** Options that decide what is asked of a layer, as runs record them, and what they are where a run does not say. */
const QUESTION: readonly (readonly [option: string, name: string, preset: unknown])[] = [
  ['--reset', 'reset', null],
  ['--init', 'init', 'auto'],
  ['--init-from', 'initFrom', null],
  ['--norm', 'norm', 'keep'],
  ['--parts', 'parts', 'both'],
  ['--group', 'group', 'layer'],
  ['--include', 'include', null],
  ['--split-qkv', 'splitQkv', false],
];

/** Models whose runs have another value than the baseline's, and which; of tables nothing is known. */
function otherOptions(
  models: readonly ModelNumbers[],
  { summary: base }: ModelNumbers,
  name: string,
  preset: unknown,
): string[] {
  if (!base) return [];
  const textOf = ({ options }: Summary) => {
    const value = options[name] ?? preset;
    // The order in which resets were asked for is none of a layer's.
    return JSON.stringify(Array.isArray(value) ? [...value].sort() : value);
  };
  return models.flatMap(({ id, summary }) => {
    if (!summary || textOf(summary) === textOf(base)) return [];
    const value = summary.options[name] ?? preset;
    return typeof value === 'string' || typeof value === 'number' ? [`${id} (${value})`] : [id];
  });
}

/** What holds for several models is said once. */
function notesOfModels(models: readonly ModelNumbers[]): string[] {
  const notes = models.flatMap(({ id, notes }) => notes.map((note) => ({ id, note })));
  return [...groupedBy(notes, ({ note }) => note)].map(([note, of]) => {
    const isAll = of.length === models.length && of.length > 1;
    return `${isAll ? 'all models' : some(of.map(({ id }) => id))}: ${note}`;
  });
}
