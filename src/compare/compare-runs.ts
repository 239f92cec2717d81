/** Runs and published tables compared: what they are read from, and what is said of their models besides. */
import { stat } from 'node:fs/promises';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { distinct } from '../report/text.js';
import type { StudyPlan } from '../run/study-plan.js';
import { readAccuracies, readAttributes, readCategories } from './attributes.js';
import { type CompareOptions, compareModels, type ModelComparison } from './compare.js';
import { fromCsv } from './from-csv.js';
import { fromRun } from './from-run.js';
import { fromStudy, isStudy } from './from-study.js';
import type { ModelNumbers } from './numbers.js';

/** What is said of the models besides their runs, and which of them is the baseline. */
export interface CompareRunsOptions extends CompareOptions {
  /** A JSON file: `{"MODEL": "CATEGORY"}` or `{"CATEGORY": ["MODEL", ...]}`. */
  categories?: string | undefined;
  /** A JSON file: `{"MODEL": NUMBER}`, in percent or as shares; becomes the attribute `accuracy`. */
  accuracies?: string | undefined;
  /** A CSV file with a row per model: its name, perhaps `category`, and numbers. */
  attributes?: string | undefined;
  /** Of studies: which of their sets of images; default the first. */
  imageSet?: string | undefined;
  /** Models that are left out. */
  exclude?: readonly string[] | undefined;
}

/** See `refuseMisuse`. */
export const comparedOptions = {
  ...{ baseline: 'text', confidence: null, categories: 'path', accuracies: 'path', attributes: 'path' },
  ...{ imageSet: 'text', exclude: 'texts' },
} as const satisfies OptionKinds<CompareRunsOptions>;

/**
 * Compares run directories, directories of studies and `results.csv` files.
 * @throws CritmapError (ERR_RUN) for what is none; (ERR_OPTION) for fewer than two models, an unknown baseline, files of
 *   attributes that are wrong, models of one name, or nothing in common
 */
export async function compareRuns(
  sources: readonly string[],
  options: CompareRunsOptions = {},
): Promise<ModelComparison> {
  refuseMisuse('compareRuns', options, comparedOptions);
  const { models, plan } = await readModels(sources, options);
  return compareModels(models, { ...options, baseline: options.baseline ?? plan?.baseline });
}

/**
 * Reads run directories, directories of studies and `results.csv` files, with what files say of their models besides.
 * @returns models without those that are left out, and the first study's plan
 * @throws as {@link compareRuns}
 */
export async function readModels(
  sources: readonly string[],
  options: Omit<CompareRunsOptions, keyof CompareOptions> & {
    /** Whether models of one name are numbered, `a`, `a #2`, and not refused. */
    isNumbered?: boolean;
  } = {},
): Promise<{ models: ModelNumbers[]; plan: StudyPlan | null }> {
  if (!Array.isArray(sources)) throw new TypeError('sources must be a list of paths');
  // Taken out first: nothing may be read yet when a strange list throws.
  const paths = [...sources];
  if (!paths.every((path) => typeof path === 'string')) throw new TypeError('sources must be paths');
  const { exclude = [], categories, accuracies, attributes, imageSet } = options;
  const sourcesRead = await Promise.all(paths.map((path) => readSource(path, imageSet)));
  if (imageSet !== undefined && sourcesRead.every(({ plan }) => plan === null)) {
    throw new CritmapError('ERR_OPTION', `--image-set ${imageSet} goes with the directory of a study`);
  }
  const read = sourcesRead.flatMap((source) => source.models);
  const kept = read.filter(({ id }) => !exclude.includes(id));
  const ids = options.isNumbered ? distinct(kept.map(({ id }) => id)) : null;
  const models = ids ? kept.map((model, i) => ({ ...model, id: ids[i]! })) : apart(kept);
  const twice = models.find(({ id }, i) => models.findIndex((other) => other.id === id) !== i);
  if (twice) {
    throw new CritmapError(
      'ERR_OPTION',
      `two models are called ${twice.id}; sweep one of them with another --name`,
    );
  }
  const categoryOf = categories === undefined ? null : await readCategories(categories);
  const accuracyOf = accuracies === undefined ? null : await readAccuracies(accuracies);
  const rowOf = attributes === undefined ? null : await readAttributes(attributes);
  return {
    models: models.map((model) => {
      const accuracy = accuracyOf?.get(model.id);
      const row = rowOf?.get(model.id);
      return {
        ...model,
        category: categoryOf?.get(model.id) ?? row?.category ?? model.category,
        attributes: {
          ...model.attributes,
          ...(accuracy === undefined ? {} : { accuracy }),
          ...row?.attributes,
        },
        words: { ...model.words, ...row?.words },
      };
    }),
    plan: sourcesRead.find(({ plan }) => plan)?.plan ?? null,
  };
}

/** Runs of one model, on other images say, go by the names of their folders. */
function apart(models: readonly (ModelNumbers & { folder?: string })[]): ModelNumbers[] {
  const isTwice = ({ id }: ModelNumbers) => models.filter((other) => other.id === id).length > 1;
  return models.map(({ folder, ...model }) =>
    folder !== undefined && isTwice(model) ? { ...model, id: folder } : model,
  );
}

interface Read {
  models: ModelNumbers[];
  plan: StudyPlan | null;
}

async function readSource(path: string, imageSet: string | undefined): Promise<Read> {
  const found = await stat(path).catch((error) => {
    throw new CritmapError('ERR_RUN', `${path} ${fileProblem(error).join('; ')}`, { cause: error });
  });
  if (!found.isDirectory()) return { models: await fromCsv(path), plan: null };
  if (!isStudy(path)) return { models: [await fromRun(path)], plan: null };
  return fromStudy(path, imageSet);
}
