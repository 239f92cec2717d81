/**
 * What a run of a study was asked: it stands beside the run when that is finished, so that a run of other options, or one
 * that was stopped, is not taken for the study's.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.js';
import { readRegular } from '../files/regular-file.js';
import { replaceFile } from '../files/replace.js';
import { readRunSummary } from './read-run.js';
import { readInfo } from './run.js';
import type { StudyPlan } from './study-plan.js';
import type { Summary } from './summary.js';

const NAME = 'study-entry.json';

const entrySchema = z.object({
  /** Of the words of the sweep. */
  asked: z.string(),
  /** Of its files, with their sizes and times; null where they changed meanwhile, or may without a trace. */
  files: z.string().nullable(),
});
export type StudyEntry = z.infer<typeof entrySchema>;

/** @returns null where there is none, or none that can be read */
export async function readEntry(place: string): Promise<StudyEntry | null> {
  try {
    const text = (await readRegular(join(place, NAME))).toString('utf8');
    return entrySchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** @throws CritmapError (ERR_RUN) when it cannot be written */
export const writeEntry = (place: string, entry: StudyEntry): Promise<void> =>
  replaceFile(join(place, NAME), `${JSON.stringify(entry, null, 1)}\n`);

/** A sweep that failed has none: what an earlier one came to may be of other files. */
export const removeEntry = (place: string): Promise<void> => rm(join(place, NAME), { force: true });

/** The summary of a study's run, or why it does not count. */
export async function studyRun(
  directory: string,
  plan: StudyPlan,
  model: string,
  images: string,
): Promise<{ summary: Summary } | { lacking: string }> {
  const key = `${model}/${images}`;
  const place = join(directory, model, images);
  const entry = await readEntry(place);
  if (!entry) return { lacking: `${key} is lacking` };
  if (entry.asked !== plan.asked[key]) {
    return { lacking: `${key} is left out: it was swept with other options than the study has now` };
  }
  try {
    const { status } = await readInfo(place);
    if (status !== 'done') return { lacking: `${key} is left out: it is ${status}` };
    return { summary: await readRunSummary(place) };
  } catch (error) {
    return { lacking: `${key} is left out: ${messageOf(error)}` };
  }
}
