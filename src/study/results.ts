/**
 * What a study's runs come to together: every number in a row of its own, differences to the baseline and between sets of
 * images, correlations and categories. It holds no times and no paths outside the study: equal inputs give equal bytes.
 */
import { join } from 'node:path';
import type { CategoryRow, ComparedModel, CorrelationRow } from '../compare/across-models.js';
import {
  adjusted,
  type ComparedLayer,
  compareModels,
  type ModelComparison,
  meansByReset,
} from '../compare/compare.js';
import { numbersOf } from '../compare/from-study.js';
import type { ModelNumbers } from '../compare/numbers.js';
import { messageOf } from '../errors.js';
import { measures } from '../native/columns.js';
import { studyRun } from '../run/study-entry.js';
import { type PlannedModel, readPlan, type StudyPlan } from '../run/study-plan.js';
import { type Estimate, type LayerSummary, resetsIn, resetsOfSeveral, type Summary } from '../run/summary.js';

/** One number of one layer. */
export interface StudyRow {
  model: string;
  category: string | null;
  imageSet: string;
  layer: string;
  /** 0 for the first layer, 1 for the last. */
  depth: number;
  op: string;
  parameters: number;
  reset: string;
  /** `criticality` and `agreement` in percent, with intervals; the others as in `summary.json`. */
  metric: string;
  mean: number | null;
  low: number | null;
  high: number | null;
  /** What the interval covers; see `summary.json`. */
  interval: Estimate['interval'];
  images: number;
  draws: number;
}

export interface StudyModelResults {
  id: string;
  name: string;
  category: string | null;
  /** As the study's file says, else as measured on the first set of images that has labels; percent. */
  accuracy: number | null;
  attributes: StudyPlan['models'][number]['attributes'];
  /**
   * By set of images: of the untouched model, and by reset its mean criticality over the layers that all compared models
   * have (of one that is not compared, over its own). Null where it is lacking.
   */
  runs: Record<
    string,
    { directory: string; top1: number | null; criticality: Record<string, number | null> } | null
  >;
}

/** To the baseline, on one set of images. */
export type StudyDifference = Omit<ComparedLayer, 'category'> & { imageSet: string };
/** Of one model: a set of images against the study's first. */
export type ImageSetDifference = Omit<ComparedLayer, 'category' | 'baselineMean'> & {
  imageSet: string;
  otherSet: string;
  otherMean: number | null;
};

/** What `study.json` holds. */
export interface StudyResults {
  version: 1;
  name: string;
  baseline: string;
  categories: (StudyPlan['categories'][number] & { models: string[] })[];
  imageSets: (StudyPlan['images'][number] & { source: string; images: number; fingerprint: string })[];
  models: StudyModelResults[];
  /** In the order in which they were asked for, those that all runs have first. */
  resets: string[];
  rows: StudyRow[];
  differences: StudyDifference[];
  imageSetDifferences: ImageSetDifference[];
  correlations: (CorrelationRow & { imageSet: string })[];
  categoryMeans: (CategoryRow & { imageSet: string })[];
  notes: string[];
}

const ESTIMATES = ['criticality', 'agreement'] as const;

/**
 * Reads a study's runs and puts them together.
 * @throws CritmapError (ERR_STUDY) for a damaged plan, (ERR_RUN) for a damaged run
 */
export async function collectResults(directory: string): Promise<StudyResults> {
  const plan = await readPlan(directory);
  const notes: string[] = [];
  const summaries = await summariesOf(directory, plan, notes);
  const means = new Map<string, Record<string, number | null>>();
  const compared: ComparedSet[] = [];
  // One set after the other: the numbers of all slices of all models take gigabytes.
  for (const { id } of plan.images) {
    const models = await modelsOn(directory, plan, summaries, id);
    for (const model of models) means.set(keyOf(model.id, id), meansByReset(model.layers));
    const found = comparedOn(id, models, plan.baseline, notes);
    if (found) compared.push(found);
  }
  const categoryOrder = plan.categories.map(({ name }) => name);
  const rank = ({ category }: { category: string }) => categoryOrder.indexOf(category);
  return {
    version: 1,
    name: plan.name,
    baseline: plan.baseline,
    categories: plan.categories.map((category) => ({
      ...category,
      models: plan.models.filter((model) => model.category === category.name).map(({ id }) => id),
    })),
    imageSets: imageSetsOf(plan, summaries),
    models: modelsOf(plan, summaries, means, compared),
    resets: resetsOfSeveral([...summaries.values()].map(({ summary }) => resetsIn(summary))),
    rows: [...summaries].flatMap(([, { model, imageSet, summary }]) => rowsOf(model, imageSet, summary)),
    differences: compared.flatMap(({ imageSet, isThere, differences }) =>
      isThere ? differences.map(({ category: _, ...row }) => ({ imageSet, ...row })) : [],
    ),
    imageSetDifferences: await imageSetDifferences(directory, plan, summaries, notes),
    correlations: compared.flatMap(({ imageSet, correlations }) =>
      correlations.map((row) => ({ imageSet, ...row })),
    ),
    categoryMeans: compared.flatMap(({ imageSet, categories }) =>
      [...categories].sort((a, b) => rank(a) - rank(b)).map((row) => ({ imageSet, ...row })),
    ),
    notes,
  };
}

/** The same bytes wherever the study is. */
const numbersOn = async (
  directory: string,
  model: PlannedModel,
  imageSet: string,
): Promise<ModelNumbers> => ({
  ...(await numbersOf(directory, model, imageSet)),
  source: join(model.id, imageSet),
});

async function modelsOn(
  directory: string,
  plan: StudyPlan,
  summaries: ReadonlyMap<string, OneRun>,
  imageSet: string,
): Promise<ModelNumbers[]> {
  const models: ModelNumbers[] = [];
  for (const model of plan.models) {
    if (summaries.has(keyOf(model.id, imageSet))) models.push(await numbersOn(directory, model, imageSet));
  }
  return models;
}

type ComparedSet = ModelComparison & { imageSet: string; isThere: boolean };

function comparedOn(
  imageSet: string,
  models: readonly ModelNumbers[],
  baseline: string,
  notes: string[],
): ComparedSet | null {
  if (models.length < 2) return null;
  try {
    const isThere = models.some((model) => model.id === baseline);
    if (!isThere) notes.push(`${imageSet}: the baseline ${baseline} is lacking; nothing is compared with it`);
    const found = compareModels(models, { baseline: isThere ? baseline : undefined });
    if (isThere) for (const note of found.notes) notes.push(`${imageSet}: ${note}`);
    return { imageSet, isThere, ...found };
  } catch (error) {
    notes.push(`${imageSet}: ${messageOf(error)}`);
    return null;
  }
}

interface OneRun {
  model: StudyPlan['models'][number];
  imageSet: string;
  summary: Summary;
}

async function summariesOf(
  directory: string,
  plan: StudyPlan,
  notes: string[],
): Promise<Map<string, OneRun>> {
  const found = new Map<string, OneRun>();
  for (const model of plan.models) {
    for (const { id: imageSet } of plan.images) {
      const run = await studyRun(directory, plan, model.id, imageSet);
      if ('lacking' in run) notes.push(run.lacking);
      else found.set(keyOf(model.id, imageSet), { model, imageSet, summary: run.summary });
    }
  }
  return found;
}

const keyOf = (model: string, imageSet: string) => `${model}/${imageSet}`;

function imageSetsOf(plan: StudyPlan, summaries: ReadonlyMap<string, OneRun>): StudyResults['imageSets'] {
  return plan.images.flatMap((images) => {
    const [first] = [...summaries.values()].filter(({ imageSet }) => imageSet === images.id);
    if (!first) return [];
    const { source, images: count, fingerprint } = first.summary.data;
    return [{ ...images, source, images: count, fingerprint }];
  });
}

function modelsOf(
  plan: StudyPlan,
  summaries: ReadonlyMap<string, OneRun>,
  means: ReadonlyMap<string, Record<string, number | null>>,
  compared: readonly { imageSet: string; models: readonly ComparedModel[] }[],
): StudyModelResults[] {
  return plan.models.map(({ id, name, category, accuracy, attributes }) => {
    const runs = plan.images.map((images) => {
      const run = summaries.get(keyOf(id, images.id));
      const own = means.get(keyOf(id, images.id));
      if (!run || !own) return [images.id, null] as const;
      const top1 = run.summary.baseline?.top1 ?? null;
      const mean = compared
        .find(({ imageSet }) => imageSet === images.id)
        ?.models.find(({ model }) => model === id);
      const criticality = mean ? { ...mean.criticality } : own;
      return [images.id, { directory: keyOf(id, images.id), top1, criticality }] as const;
    });
    const measured = runs.find(([, run]) => run?.top1 != null)?.[1]?.top1 ?? null;
    return {
      ...{ id, name, category, accuracy: accuracy ?? measured, attributes },
      runs: Object.fromEntries(runs),
    };
  });
}

function rowsOf({ id, category }: OneRun['model'], imageSet: string, { layers }: Summary): StudyRow[] {
  return layers.flatMap((layer) => {
    const { images, draws, depth, op, parameters, reset } = layer;
    const head = { model: id, category, imageSet, layer: layer.layer, depth, op, parameters, reset };
    const estimates = ESTIMATES.map((metric) => {
      const { mean, low, high, interval } = layer[metric];
      return { ...head, metric, mean, low, high, interval, images, draws };
    });
    const others = [...measures.map(({ name }) => name), 'recovered', 'change'].flatMap((metric) => {
      const mean = layer[metric as keyof LayerSummary] as number | null;
      const bare = { low: null, high: null, interval: null, images, draws };
      return mean === null || mean === undefined ? [] : [{ ...head, metric, mean, ...bare }];
    });
    return [...estimates, ...others];
  });
}

/** Of every model that has more than one: paired by slice, since its draws are the same on all of them. */
async function imageSetDifferences(
  directory: string,
  { models, images: [first, ...others] }: StudyPlan,
  summaries: ReadonlyMap<string, OneRun>,
  notes: string[],
): Promise<ImageSetDifference[]> {
  const found: (ComparedLayer & Pick<ImageSetDifference, 'imageSet' | 'otherSet'>)[] = [];
  for (const model of models) {
    const { id } = model;
    const isThere = (set: { id: string }) => summaries.has(keyOf(id, set.id));
    const rest = first && isThere(first) ? others.filter(isThere) : [];
    if (rest.length === 0) continue;
    const base = await numbersOn(directory, model, first!.id);
    for (const other of rest) {
      const changed = await numbersOn(directory, model, other.id);
      try {
        const { differences } = compareModels([
          { ...base, id: first!.id },
          { ...changed, id: other.id },
        ]);
        for (const row of differences) {
          found.push({ ...row, model: id, category: null, imageSet: other.id, otherSet: first!.id });
        }
      } catch (error) {
        notes.push(`${id}: ${messageOf(error)}`);
      }
    }
  }
  return adjusted(found).map(({ category: _, baselineMean, ...row }) => ({
    ...row,
    otherMean: baselineMean,
  }));
}
