/** What a study's directory says of the study. */
import type { StudyPlan } from '../run/study-plan.js';
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
