/** What a study's directory says of the study. */
import { readdir } from 'node:fs/promises';
import { CritmapError, quoted, some } from '../errors.js';
import { readPlan, type StudyPlan, studyFiles } from '../run/study-plan.js';
import type { Shard } from '../sweep/settings.js';
import { version } from '../version.js';
import { askedOf } from './stamps.js';
import type { Study } from './study.js';
import type { Task } from './tasks.js';

export interface Asked {
  shard: Shard | null;
  tasks: readonly Task[];
  command: readonly string[] | null;
}

export function planOfStudy(study: Study, { shard, tasks, command }: Asked): StudyPlan {
  const { name, baseline, categories, models, images } = study;
  return {
    ...{ version: 1, critmap: version, name, baseline, shard },
    categories: [...categories],
    models: models.map(({ attributes, ...model }) => ({ ...model, attributes: { ...attributes } })),
    images: [...images],
    asked: Object.fromEntries(study.sweeps.map(({ place, words }) => [place, askedOf(words)])),
    tasks: tasks.map(({ place }) => place),
    command: command && [...command],
  };
}

export const planText = (plan: StudyPlan) => `${JSON.stringify(plan, null, 1)}\n`;

/**
 * A study's directory is a new one, an empty one, or its own.
 * @throws CritmapError (ERR_STUDY) when it holds other files, or another study
 */
export async function refuseOther(directory: string, name: string): Promise<void> {
  const names = await readdir(directory);
  if (names.length === 0) return;
  if (!names.includes(studyFiles.plan)) {
    throw new CritmapError(
      'ERR_STUDY',
      `${directory} already holds other files (${some(names, 3)}); choose an empty or new directory for --out`,
    );
  }
  const { name: other } = await readPlan(directory);
  if (other !== name) {
    throw new CritmapError(
      'ERR_STUDY',
      `${directory} holds another study, ${quoted(other)}; choose an empty or new directory for --out`,
    );
  }
}
