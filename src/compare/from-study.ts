/** The numbers of a study's runs on one of its sets of images. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CritmapError, some } from '../errors.js';
import { studyRun } from '../run/study-entry.js';
import { type PlannedModel, readPlan, type StudyPlan, studyFiles } from '../run/study-plan.js';
import { fromRun } from './from-run.js';
import type { ModelNumbers } from './numbers.js';

export const isStudy = (directory: string) => existsSync(join(directory, studyFiles.plan));

/**
 * Models whose runs are finished; what the file says of them counts more than what their runs say.
 * @param images - id of the set of images; default the study's first
 * @throws CritmapError (ERR_STUDY) for a damaged plan, (ERR_OPTION) for an unknown set of images, (ERR_RUN) for a run
 *   that is damaged
 */
export async function fromStudy(
  directory: string,
  images?: string,
): Promise<{ plan: StudyPlan; models: ModelNumbers[] }> {
  const plan = await readPlan(directory);
  const ids = plan.images.map(({ id }) => id);
  const wanted = images ?? ids[0]!;
  if (!ids.includes(wanted)) {
    throw new CritmapError(
      'ERR_OPTION',
      `${directory} has no set of images called ${JSON.stringify(wanted)}; it has ${some(ids)}`,
    );
  }
  const models: ModelNumbers[] = [];
  for (const model of plan.models) {
    if (!('summary' in (await studyRun(directory, plan, model.id, wanted)))) continue;
    models.push(await numbersOf(directory, model, wanted));
  }
  return { plan, models };
}

/**
 * One finished run of a study: what the file says of its model counts more than what the run says.
 * @throws CritmapError (ERR_RUN) when it is damaged
 */
export async function numbersOf(
  directory: string,
  { id, name, category, accuracy, attributes }: PlannedModel,
  images: string,
): Promise<ModelNumbers> {
  const { folder: _, ...found } = await fromRun(join(directory, id, images));
  const numbers = Object.entries(attributes).flatMap(([name, value]) =>
    typeof value === 'number' ? [[name, value] as const] : [],
  );
  const words = Object.entries(attributes).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  // As the file says, else as measured on these images.
  const { top1, ...measured } = found.attributes;
  const known = accuracy ?? top1;
  return {
    ...found,
    id,
    name,
    category,
    words: Object.fromEntries(words),
    attributes: {
      ...(known === undefined ? {} : { accuracy: known }),
      ...measured,
      ...Object.fromEntries(numbers),
    },
  };
}
