/** A study's results read back, for scripts. */
import { join } from 'node:path';
import ndarray, { type NdArray } from 'ndarray';
import { z } from 'zod';
import { CritmapError, some } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { refuseMisuse } from '../options.js';
import { studyFiles } from '../run/study-plan.js';
import type { StudyResults } from './results.js';

/** The results of a study, read back. */
export interface FinishedStudy extends StudyResults {
  /** Names of layers in the order of the cube's second axis: the first model's, then others' own. */
  layers: string[];
  /**
   * One metric as models x layers x sets of images, float64; NaN where there is none.
   * @param metric as in `rows`: `criticality`, `agreement`, `top1`, ...
   * @param of `mean` (default), `low` or `high`; and which reset of a study that has several, default the first
   */
  cube(metric: string, of?: { value?: 'mean' | 'low' | 'high'; reset?: string }): NdArray<Float64Array>;
}

/** What is looked at before the file is believed to be one of ours. */
const head = z.object({
  version: z.literal(1),
  models: z.array(z.object({ id: z.string() })),
  resets: z.array(z.string()).optional(),
  imageSets: z.array(z.object({ id: z.string() })),
  rows: z.array(
    z.object({
      model: z.string(),
      imageSet: z.string(),
      layer: z.string(),
      reset: z.string(),
      metric: z.string(),
      mean: z.number().nullable(),
      low: z.number().nullable(),
      high: z.number().nullable(),
    }),
  ),
});

/**
 * Reads the `study.json` of a study's directory.
 * @throws CritmapError (ERR_STUDY) when it is missing or damaged; RangeError for an unknown metric or reset
 */
export async function readStudyResults(directory: string): Promise<FinishedStudy> {
  if (typeof directory !== 'string') throw new TypeError('the directory must be a path');
  const path = join(directory, studyFiles.results);
  let text: string;
  try {
    text = (await readRegular(path)).toString('utf8');
  } catch (error) {
    throw new CritmapError('ERR_STUDY', `${path} ${fileProblem(error).join('; ')}`, { cause: error });
  }
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    // Told of below.
  }
  if (!head.safeParse(found).success) {
    throw new CritmapError('ERR_STUDY', `${path} is damaged, or of another version of critmap`);
  }
  return withCube(found as StudyResults, path);
}

/** A gigabyte. */
const MOST_NUMBERS = 2 ** 27;

function withCube(results: StudyResults, path: string): FinishedStudy {
  const { rows, models, imageSets } = results;
  // Results of an earlier version do not say.
  const resets = results.resets ?? [...new Set(rows.map(({ reset }) => reset))];
  const layers = [...new Set(rows.map(({ layer }) => layer))];
  return {
    ...results,
    resets,
    layers,
    cube(metric, of) {
      refuseMisuse('cube', of ?? {}, { value: null, reset: null });
      const { value = 'mean', reset = resets[0] } = of ?? {};
      if (!['mean', 'low', 'high'].includes(value)) {
        throw new RangeError(`value must be mean, low or high, got ${String(value)}`);
      }
      const wanted = rows.filter((row) => row.metric === metric && row.reset === reset);
      if (wanted.length === 0) {
        const known = [...new Set(rows.map((row) => row.metric))].join(', ');
        throw new RangeError(
          `the study has no ${metric} under the reset ${reset}; it has ${known}, and ${some(resets)}`,
        );
      }
      const shape = [models.length, layers.length, imageSets.length];
      const size = shape.reduce((product, side) => product * side, 1);
      if (size > MOST_NUMBERS) {
        throw new CritmapError('ERR_STUDY', `${path} has ${shape.join(' x ')} numbers, more than a cube can`);
      }
      const cube = ndarray(new Float64Array(size).fill(Number.NaN), shape);
      const position = <T>(keys: readonly T[]) => new Map(keys.map((key, i) => [key, i]));
      const [ofModel, ofLayer] = [position(models.map(({ id }) => id)), position(layers)];
      const ofSet = position(imageSets.map(({ id }) => id));
      for (const row of wanted) {
        const at = [ofModel.get(row.model)!, ofLayer.get(row.layer)!, ofSet.get(row.imageSet)!] as const;
        cube.set(...at, row[value] ?? Number.NaN);
      }
      return cube;
    },
  };
}
