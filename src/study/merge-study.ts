/** Shards of a study put together: each sweep from the runs and parts of runs that they have of it. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CritmapError, some } from '../errors.js';
import { refuseMisuse } from '../options.js';
import { files, readInfo } from '../run/run.js';
import { writeEntry } from '../run/study-entry.js';
import { readPlan, type StudyPlan } from '../run/study-plan.js';
import { Listeners } from '../sweep/listeners.js';
import { IncompleteRuns, type MergeOptions, mergeOptions, mergeRuns } from '../sweep/merge.js';
import { ofShard, shellWords, withOption } from '../sweep/missing-commands.js';
import { inStudyOf } from './own-directory.js';
import type { StudyResults } from './results.js';
import { writeStudyResults } from './write-results.js';

interface Source {
  directory: string;
  plan: StudyPlan;
}

/**
 * @param directories - of shards of one study, in any order, which may overlap
 * @param out - directory for the whole study; sweeps that are whole are put there even if others lack parts
 * @throws IncompleteRuns when parts lack, with what computes them; CritmapError (ERR_STUDY) for directories of different
 *   studies, (ERR_RUN) for runs that do not fit together or cannot be read
 */
export async function mergeStudies(
  directories: readonly string[],
  out: string,
  options: MergeOptions = {},
): Promise<StudyResults> {
  refuseMisuse('mergeStudies', options, mergeOptions);
  if (!Array.isArray(directories))
    throw new TypeError('mergeStudies takes a list of directories and a directory to write');
  // Taken out first: nothing may be read yet when a strange list throws.
  const paths = [...directories];
  if (typeof out !== 'string' || !paths.every((path) => typeof path === 'string')) {
    throw new TypeError('mergeStudies takes a list of directories and a directory to write');
  }
  const sources = await sourcesOf(paths);
  const { plan } = sources[0]!;
  const places = plan.models.flatMap(({ id }) => plan.images.map((images) => join(id, images.id)));
  const whole: StudyPlan = { ...plan, shard: null, tasks: places, command: null };
  const listeners = new Listeners();
  const told = listeners.guarded(options);
  const results = await inStudyOf(out, whole, () => mergeInto(sources, places, out, plan, told));
  listeners.rethrow();
  return results;
}

async function mergeInto(
  sources: readonly Source[],
  places: readonly string[],
  out: string,
  plan: StudyPlan,
  options: MergeOptions,
): Promise<StudyResults> {
  const missing: string[] = [];
  for (const place of places) {
    const runs = (await Promise.all(sources.map(({ directory }) => runsIn(join(directory, place))))).flat();
    const isWhole = runs.length > 0 && (await isMerged(runs, join(out, place), options));
    if (isWhole) await writeEntry(join(out, place), { asked: plan.asked[place] ?? '', files: null });
    else missing.push(place);
  }
  if (missing.length > 0) {
    throw new IncompleteRuns(
      `together the shards lack ${missing.length} of ${places.length} sweeps: ${some(missing, 5)}`,
      [],
      await commandsFor(sources, out),
    );
  }
  return writeStudyResults(out);
}

async function isMerged(runs: readonly string[], out: string, options: MergeOptions): Promise<boolean> {
  try {
    await mergeRuns(runs, out, options);
    return true;
  } catch (error) {
    if (error instanceof IncompleteRuns) return false;
    throw error;
  }
}

async function sourcesOf(directories: readonly string[]): Promise<Source[]> {
  const sources = await Promise.all(
    [...new Set(directories)].map(async (directory) => ({ directory, plan: await readPlan(directory) })),
  );
  sources.sort((a, b) => (a.plan.shard?.index ?? 0) - (b.plan.shard?.index ?? 0));
  const [first] = sources;
  if (!first) throw new CritmapError('ERR_STUDY', 'there are no studies to merge');
  const sameOf = ({ shard: _, tasks: __, command: ___, ...same }: StudyPlan) => JSON.stringify(same);
  const other = sources.find(({ plan }) => sameOf(plan) !== sameOf(first.plan));
  if (other) {
    throw new CritmapError(
      'ERR_STUDY',
      `${other.directory} is of another study than ${first.directory}, or of another version of its file`,
    );
  }
  return sources;
}

/** A sweep's run, or the parts of it. */
async function runsIn(place: string): Promise<string[]> {
  if (existsSync(join(place, files.info))) return [place];
  const names = await readdir(place).catch(() => []);
  return names
    .filter((name) => /^part-\d+-of-\d+$/.test(name) && existsSync(join(place, name, files.info)))
    .map((name) => join(place, name));
}

/** Shards that were not given, and those that were not finished. */
async function commandsFor(sources: readonly Source[], out: string): Promise<string[]> {
  const like = sources.find(({ plan }) => plan.shard && plan.command);
  if (!like?.plan.shard || !like.plan.command) return ['repeat the command of the study'];
  const { of, index: own } = like.plan.shard;
  const given = new Map(
    sources.flatMap((source) =>
      source.plan.shard?.of === of ? [[source.plan.shard.index, source] as const] : [],
    ),
  );
  const lacking: number[] = [];
  for (let index = 1; index <= of; index++) {
    const source = given.get(index);
    if (!source || !(await isFinished(source))) lacking.push(index);
  }
  if (lacking.length === 0) {
    // They were dealt out otherwise, by other files: what lacks is computed where the rest is.
    const words = like.plan.command.filter((word, i, all) => word !== '--shard' && all[i - 1] !== '--shard');
    return [shellWords(['critmap', ...withOption(words, 'out', () => out)])];
  }
  const commands = lacking.map((index) => {
    const words = given.get(index)?.plan.command ?? ofShard(like.plan.command!, own, index, of);
    return shellWords(['critmap', ...words]);
  });
  return [...commands, `sbatch --array=${lacking.join(',')} SCRIPT`];
}

async function isFinished({ directory, plan }: Source): Promise<boolean> {
  const infos = await Promise.all(
    plan.tasks.map((place) => readInfo(join(directory, place)).catch(() => null)),
  );
  return infos.every((info) => info?.status === 'done');
}
