/**
 * Runs, studies and published tables as what figures are drawn from: models by category in order, panels of models that
 * have the same layers, differences to the baseline with p-values adjusted over a panel.
 */
import { existsSync, statSync } from 'node:fs';
import { CritmapError } from '../errors.js';
import type {
  FigureCategory,
  FigureData,
  FigureDifference,
  FigureImageSet,
  FigureModel,
  FigurePanel,
} from '../figures/data.js';
import { layerLabels } from '../figures/layer-labels.js';
import { kindOf, PALETTE, stagesOf } from '../report/groups.js';
import { methodsOf, methodsOfTable } from '../report/methods.js';
import { grouped } from '../report/numbers.js';
import { intervalsText } from '../report/overview.js';
import { readPlan, type StudyPlan } from '../run/study-plan.js';
import { resetsIn, resetsOfSeveral, type Summary } from '../run/summary.js';
import { categoryRows, correlationRows } from './across-models.js';
import { compareModels } from './compare.js';
import { type CompareRunsOptions, readModels } from './compare-runs.js';
import { cellOf } from './figure-cells.js';
import { fromStudy, isStudy } from './from-study.js';
import { groupedBy, type ModelNumbers } from './numbers.js';

/** Which models and numbers are drawn, and what is said of them. */
export interface FigureDataOptions extends CompareRunsOptions {
  /** Of models swept with several resets: the one that is shown; default the first that all of them have. */
  reset?: string | undefined;
  title?: string | undefined;
}

/**
 * @param sources run directories, directories of studies, `results.csv` files
 * @throws CritmapError as {@link readModels}; (ERR_OPTION) for an unknown baseline or reset
 */
export async function figureData(
  sources: readonly string[],
  options: FigureDataOptions = {},
): Promise<FigureData> {
  const { models: read, plan } = await readModels(sources, { ...options, isNumbered: true });
  const [first] = read;
  if (!first) throw new CritmapError('ERR_OPTION', `there is no finished model in ${sources.join(', ')}`);
  const resets = resetsOfSeveral(
    read.map(({ summary, layers }) => (summary ? resetsIn(summary) : layers.map(({ reset }) => reset))),
  );
  const reset = options.reset ?? resets[0] ?? 'random';
  if (!resets.includes(reset) && options.reset !== undefined) {
    throw new CritmapError('ERR_OPTION', `--reset ${reset}: there is only ${resets.join(', ')}`);
  }
  const shown = read.map((model) => ({
    ...model,
    layers: model.layers.filter((layer) => layer.reset === reset),
  }));
  const baseline = baselineOf(shown, options.baseline ?? plan?.baseline);
  const categories = categoriesOf(shown, plan);
  const order = new Map(categories.map(({ id }, i) => [id, i]));
  const rankOf = ({ category }: ModelNumbers) => (category === null ? order.size : order.get(category)!);
  // A study's file has an order; names have theirs.
  const placeOf = ({ id }: ModelNumbers) => plan?.models.findIndex((model) => model.id === id) ?? 0;
  const sorted = [...shown].sort(
    (a, b) =>
      rankOf(a) - rankOf(b) || placeOf(a) - placeOf(b) || (a.id.toLowerCase() < b.id.toLowerCase() ? -1 : 1),
  );
  const panels = panelsOf(sorted);
  const models = panels.flatMap(({ members }, panel) => members.map((model) => modelOf(model, panel)));
  const summaries = read.flatMap(({ summary }) => summary ?? []);
  const notes = [
    ...(resets.length > 1
      ? [`shown is the reset ${reset}; there are also ${resets.filter((one) => one !== reset).join(', ')}`]
      : []),
  ];
  const compared = models.map((model) => ({
    ...{ model: model.id, source: '', category: model.category },
    attributes: numbersOf(model, models),
    criticality: { [reset]: model.mean },
  }));
  // Adjusted over all layers, models and resets, those that are not shown too, as a study's results are.
  const differences = differencesOf(panels, read, baseline?.id ?? null, reset, notes);
  const cells = panels.flatMap(({ members, panel }) => cellsOf(members, panel));
  const shownSet = { cells, differences };
  return {
    title: options.title ?? plan?.name ?? (models.length === 1 ? models[0]!.name : `${models.length} models`),
    reset,
    baseline: baseline?.id ?? null,
    intervals: summaries[0] ? (intervalsText(summaries[0]) ?? null) : drawsText(shown),
    categories,
    models,
    panels: panels.map(({ panel }) => panel),
    cells,
    differences,
    correlations: correlationRows(compared),
    categoryMeans: categoryRows(compared),
    imageSets: await imageSetsOf(sources, reset, options, shownSet, panels, baseline?.id ?? null),
    notes,
    methods: methodsText(summaries, shown, differences.length > 0 ? baseline?.id : undefined),
  };
}

/** What criticality may go along with. Budgets of two norms do not compare; accuracy is what is given, else what was measured. */
function numbersOf(
  { accuracy, attributes }: FigureModel,
  models: readonly FigureModel[],
): Record<string, number> {
  const norms = new Set(
    models.flatMap(({ attributes: { budget, norm, attack } }) =>
      budget === undefined ? [] : [norm ?? attack],
    ),
  );
  const isShown = (name: string) =>
    name !== 'top1' && name !== 'accuracy' && (name !== 'budget' || norms.size === 1);
  return {
    ...(accuracy === null ? {} : { accuracy }),
    ...Object.fromEntries(
      Object.entries(attributes).flatMap(([name, value]) =>
        typeof value === 'number' && isShown(name) ? [[name, value]] : [],
      ),
    ),
  };
}

function baselineOf(models: readonly ModelNumbers[], wanted: string | undefined): ModelNumbers | null {
  if (wanted !== undefined) {
    const found = models.find(({ id }) => id === wanted);
    if (found) return found;
    throw new CritmapError('ERR_OPTION', `--baseline ${JSON.stringify(wanted)} is none of the models`);
  }
  const named = models.filter(({ category }) => category === 'baseline');
  return named.length === 1 ? named[0]! : models.length > 1 ? models[0]! : null;
}

/** Those that models are in: a study's order and colours, else as files name them, the baseline's first. */
function categoriesOf(models: readonly ModelNumbers[], plan: StudyPlan | null): FigureCategory[] {
  const used = new Set(models.flatMap(({ category }) => category ?? []));
  const planned = plan?.categories.filter(({ name }) => used.has(name)) ?? [];
  const known = new Set(planned.map(({ name }) => name));
  const others = [...used].filter((name) => !known.has(name));
  others.sort((a, b) => published(a) - published(b));
  return [...planned, ...others.map((name) => ({ name, color: null }))].map(({ name, color }, i) => ({
    id: name,
    label: name.replaceAll('_', ' '),
    color: color ?? PALETTE[i % PALETTE.length]!,
  }));
}

/** The published study's order; other names stay as they come. */
const PUBLISHED = ['baseline', 'training_recipes', 'augmentation', 'adversarial_training', 'contrastive'];
const published = (name: string) => (PUBLISHED.indexOf(name) + PUBLISHED.length + 1) % (PUBLISHED.length + 1);

/** What the intervals of a table of draws cover. */
function drawsText(models: readonly ModelNumbers[]): string | null {
  const isSpread = models.some(({ layers }) =>
    layers.some(({ numbers }) => numbers.kind === 'draws' && numbers.values.length > 1),
  );
  return isSpread ? '95 % intervals of the mean over new draws, on the same images' : null;
}

interface Members {
  members: ModelNumbers[];
  panel: FigurePanel;
}

/** Models whose layers are some of another's are drawn with it. */
function panelsOf(models: readonly ModelNumbers[]): Members[] {
  const sets = groupedBy(models, ({ layers }) => JSON.stringify(layers.map(({ layer }) => layer)));
  const bySize = [...sets.values()].sort((a, b) => b[0]!.layers.length - a[0]!.layers.length);
  const found: { names: Set<string>; members: ModelNumbers[] }[] = [];
  for (const group of bySize) {
    const own = group[0]!.layers.map(({ layer }) => layer);
    const larger = found.find(({ names }) => own.every((layer) => names.has(layer)));
    if (larger) larger.members = [...larger.members, ...group];
    else found.push({ names: new Set(own), members: [...group] });
  }
  const place = new Map(models.map((model, i) => [model, i]));
  for (const { members } of found) members.sort((a, b) => place.get(a)! - place.get(b)!);
  found.sort((a, b) => place.get(a.members[0]!)! - place.get(b.members[0]!)!);
  return found.map(({ names, members }) => ({ members, panel: panelOf([...names], members) }));
}

function panelOf(layers: readonly string[], members: readonly ModelNumbers[]): FigurePanel {
  const known = new Map(
    members.flatMap(({ summary }) => summary?.layers ?? []).map((one) => [one.layer, one]),
  );
  const labels = layerLabels(layers.map((layer) => ({ layer, shape: known.get(layer)?.shape ?? [] })));
  const stages = stagesOf(layers);
  return {
    name: `${panelName(members, labels)} (${grouped(layers.length)} layers${members.length > 1 ? `, ${grouped(members.length)} models` : ''})`,
    models: members.map(({ id }) => id),
    layers: layers.map((layer, i) => {
      const found = known.get(layer);
      return {
        layer,
        label: labels[i]!,
        stage: stages[i]!,
        kind: found ? kindOf(found) : null,
        depth: found?.depth ?? (layers.length > 1 ? i / (layers.length - 1) : 0),
      };
    }),
  };
}

const ARCHITECTURE = ['architecture', 'arch'];

/** What its models have in common: the architecture that is told, how all names begin, else where layers begin and end. */
function panelName(members: readonly ModelNumbers[], labels: readonly string[]): string {
  const told = members.map(({ words = {} }) => words[ARCHITECTURE.find((name) => name in words) ?? '']);
  if (told[0] !== undefined && told.every((word) => word === told[0])) return told[0];
  const names = members.map(({ id, name = id }) => name);
  if (names.length <= 3) return names.join(', ');
  const parts = names.map((name) => name.split(/(?<=[^\p{L}\p{N}])/u));
  const shared = parts[0]!.findIndex((part, i) => !parts.every((other) => other[i] === part));
  const start = parts[0]!
    .slice(0, shared < 0 ? undefined : shared)
    .join('')
    .replace(/[^\p{L}\p{N}]+$/u, '');
  return start.length >= 3 ? start : `${labels[0]} … ${labels.at(-1)}`;
}

/** The norm and budget of an attack that an id tells of: `resnet50_linf_eps4.0`. */
const BUDGET = /(?:^|[_.-])(l1|l2|linf)[_.-]?eps[_.-]?(\d+(?:\.\d+)?)/i;

function modelOf(model: ModelNumbers, panel: number): FigureModel {
  const { id, name = id, category, attributes, words, layers } = model;
  const [, norm, budget] = BUDGET.exec(id) ?? [];
  const told = norm !== undefined && attributes.budget === undefined;
  const values = layers.flatMap(({ mean, isDestroyed }) => (isDestroyed ? 100 : (mean ?? [])));
  return {
    ...{ id, name, category, panel },
    accuracy: attributes.accuracy ?? attributes.top1 ?? null,
    attributes: {
      ...(told ? { budget: Number(budget), norm: norm.toLowerCase() } : {}),
      ...attributes,
      ...words,
    },
    mean: values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null,
  };
}

/**
 * Of the models that are drawn with the baseline.
 * @param all - models with all of their resets, over which p-values are adjusted
 */
function differencesOf(
  panels: readonly Pick<Members, 'members'>[],
  all: readonly ModelNumbers[],
  baseline: string | null,
  reset: string,
  notes: string[],
): FigureDifference[] {
  const { members = [] } = panels.find(({ members }) => members.some(({ id }) => id === baseline)) ?? {};
  if (baseline === null || members.length < 2) return [];
  for (const note of compareModels(members, { baseline }).notes) notes.push(note);
  const drawn = new Set(members.map(({ id }) => id));
  return compareModels(all, { baseline })
    .differences.filter((row) => row.reset === reset && drawn.has(row.model))
    .map(({ model, layer, difference, low, high, p, pHolm, pBh }) => ({
      ...{ model, layer, difference, low, high, p, pHolm, pBh },
    }));
}

const cellsOf = (members: readonly ModelNumbers[], { layers }: FigurePanel) =>
  members.flatMap((model) => layers.flatMap(({ layer }) => cellOf(model, layer) ?? []));

function methodsText(
  summaries: readonly Summary[],
  models: readonly ModelNumbers[],
  baseline: string | undefined,
): string {
  if (summaries.length > 0) return methodsOf(summaries, baseline);
  const layers = new Set(models.flatMap((model) => model.layers.map(({ layer }) => layer)));
  const draws = models.reduce(
    (most, model) =>
      model.layers.reduce(
        (more, { numbers }) => Math.max(more, numbers.kind === 'draws' ? numbers.values.length : 0),
        most,
      ),
    0,
  );
  return methodsOfTable(models.length, layers.size, draws, baseline);
}

/** Of the first study that has more than one: the one that is shown, then the others. */
async function imageSetsOf(
  sources: readonly string[],
  reset: string,
  { imageSet, exclude = [] }: FigureDataOptions,
  shownSet: Pick<FigureImageSet, 'cells' | 'differences'>,
  panels: readonly Members[],
  baseline: string | null,
): Promise<FigureImageSet[]> {
  const study = sources.find((path) => existsSync(path) && statSync(path).isDirectory() && isStudy(path));
  if (study === undefined) return [];
  const plan = await readPlan(study);
  if (plan.images.length < 2) return [];
  const shown = imageSet ?? plan.images[0]!.id;
  const sets: FigureImageSet[] = [];
  for (const { id, name } of plan.images) {
    if (id === shown) {
      sets.unshift({ id, name, ...shownSet });
      continue;
    }
    const { models } = await fromStudy(study, id);
    const kept = models.filter((model) => !exclude.includes(model.id));
    const own = new Map(
      kept.map((model) => [
        model.id,
        { ...model, layers: model.layers.filter((layer) => layer.reset === reset) },
      ]),
    );
    const found = panels.map(({ members, panel }) => ({
      panel,
      members: members.flatMap((model) => own.get(model.id) ?? []),
    }));
    sets.push({
      ...{ id, name },
      cells: found.flatMap(({ members, panel }) => cellsOf(members, panel)),
      // What must be known of these comparisons is said of the set that is shown.
      differences: differencesOf(found, kept, baseline, reset, []),
    });
  }
  return sets;
}
