/**
 * Parts of a sweep put together: their journals are read, whoever wrote them and in whatever order, and what they hold
 * counts once. Where nothing lacks the results are those of one run, byte for byte.
 */
import { join } from 'node:path';
import { CritmapError, some } from '../errors.js';
import { readRegular } from '../files/regular-file.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { writeDetails } from '../run/details.js';
import { Finished, type JournalLine } from '../run/finished.js';
import { differencesOf } from '../run/identity.js';
import { writeLine } from '../run/journal-line.js';
import { files, journalSeal, type OpenRun, openRun, type RunInfo, readInfo } from '../run/run.js';
import { lineNumbers, scanJournalAt } from '../run/scan-journal.js';
import { addSeconds } from '../run/stages.js';
import type { Results } from '../run/summarise.js';
import { writeResults } from '../run/write-results.js';
import { largest } from '../statistics/extremes.js';
import { baselineWarning } from './baseline.js';
import { Listeners } from './listeners.js';
import { commandsFor, type Source } from './missing-commands.js';
import { type Missing, WholeSweep } from './whole-sweep.js';

/** Where the whole goes, and who is told. */
export interface MergeOptions {
  force?: boolean | undefined;
  /** Called for what a reader should know of the parts. */
  onWarning?: ((message: string) => void) | undefined;
}

export const mergeOptions = {
  force: 'boolean',
  onWarning: 'function',
} as const satisfies OptionKinds<MergeOptions>;

/** Runs that do not make a sweep together. */
export class IncompleteRuns extends CritmapError {
  constructor(
    message: string,
    readonly missing: readonly Missing[],
    /** What computes it. */
    readonly commands: readonly string[],
  ) {
    super('ERR_RUN', message);
  }
}

/**
 * @param directories - of runs of one sweep: shards, in any order, which may overlap; or runs that were stopped
 * @param out - directory for the whole run
 * @throws IncompleteRuns when parts lack; CritmapError (ERR_RUN) for runs of different sweeps, or that cannot be read; what
 *   `onWarning` threw, after everything is done
 */
export async function mergeRuns(
  directories: readonly string[],
  out: string,
  options: MergeOptions = {},
): Promise<Results> {
  refuseMisuse('mergeRuns', options, mergeOptions);
  if (!Array.isArray(directories))
    throw new TypeError('mergeRuns takes a list of directories and a directory to write');
  // Taken out first: nothing may be read yet when a strange list throws.
  const paths = [...directories];
  if (typeof out !== 'string' || !paths.every((path) => typeof path === 'string')) {
    throw new TypeError('mergeRuns takes a list of directories and a directory to write');
  }
  const listeners = new Listeners();
  const results = await merged(paths, out, listeners.guarded(options));
  listeners.rethrow();
  return results;
}

async function merged(
  paths: readonly string[],
  out: string,
  { force, onWarning }: MergeOptions,
): Promise<Results> {
  const sources = await sourcesOf(paths);
  const [first] = sources as [Source, ...Source[]];
  // Only shards know what layers cost, by which they are divided.
  const { info } = sources.find(({ info }) => info.shard !== null) ?? first;
  const whole = new WholeSweep(first.info, info.plan!);
  const warnings: string[] = [];
  const collected = new Collected();
  for (const { directory, info } of sources) {
    const path = join(directory, files.journal);
    const { damaged } = await scanJournalAt(path, journalSeal(info), (line) => collected.add(line));
    if (damaged.length > 0) warnings.push(`${path}: ${lineNumbers(damaged)} damaged or of another run`);
  }
  if (collected.different > 0) {
    warnings.push(
      `${collected.different} of the results that several runs have differ in them, as they do between processors`,
    );
  }
  for (const warning of warnings) onWarning?.(warning);
  const missing = whole.missing(collected.finished);
  if (missing.length > 0) {
    throw new IncompleteRuns(wordsOf(missing, whole), missing, commandsFor(whole, sources, missing));
  }
  const results = whole.results(collected.finished);
  const run = await openRun(out, first.info, { force });
  try {
    for (const warning of run.warnings) onWarning?.(warning);
    await write(run, results, collected.lines, sources, warnings);
  } finally {
    await run.close();
  }
  return results;
}

/** Sorted by shard, so that names and places are the same whatever the order that they were given in. */
async function sourcesOf(directories: readonly string[]): Promise<Source[]> {
  if (directories.length === 0) throw new CritmapError('ERR_RUN', 'there are no runs to merge');
  const sources = await Promise.all(
    [...new Set(directories)].map(async (directory) => ({ directory, info: await readInfo(directory) })),
  );
  const indexOf = ({ info }: Source) => info.shard?.index ?? 0;
  sources.sort((a, b) => indexOf(a) - indexOf(b) || (a.directory < b.directory ? -1 : 1));
  const [first] = sources as [Source, ...Source[]];
  const graph = sources.find(({ info }) => info.graph !== null)?.info.graph ?? null;
  for (const { directory, info } of sources) {
    const differences = differencesOf(first.info, info);
    if (info.graph !== null && info.graph !== graph)
      differences.push(`the graph: ${graph} and ${info.graph}`);
    if (differences.length > 0) {
      throw new CritmapError(
        'ERR_RUN',
        `${directory} is not of the sweep of ${first.directory} (${differences.join('; ')})`,
      );
    }
    if (info.version === 1 || !info.plan) {
      throw new CritmapError('ERR_RUN', `${directory} is of an earlier critmap, whose runs cannot be merged`);
    }
  }
  return sources;
}

/** Lines that count, each once. Of two that differ one is taken whatever the order of runs. */
class Collected {
  finished = new Finished();
  different = 0;
  readonly #lines = new Map<string, JournalLine>();

  add(line: JournalLine): void {
    const key = JSON.stringify(
      line.type === 'original' ? [line.chunk] : [line.layer, line.reset, line.chunk],
    );
    const before = this.#lines.get(key);
    if (!before) {
      this.#lines.set(key, line);
      this.finished.add(line);
      return;
    }
    const [one, other] = [writeLine(before, 0), writeLine(line, 0)];
    if (one === other) return;
    this.different++;
    if (other > one) return;
    this.#lines.set(key, line);
    if (line.type === 'original') this.finished.original.set(line.chunk, line.slices);
    else this.finished.chunksOf(line.layer, line.reset).set(line.chunk, line);
  }

  get lines(): readonly JournalLine[] {
    return [...this.#lines.values()].sort((a, b) => a.chunk - b.chunk);
  }
}

async function write(
  run: OpenRun,
  results: Results,
  lines: readonly JournalLine[],
  sources: readonly Source[],
  told: readonly string[],
): Promise<void> {
  const infos = sources.map(({ info }) => info);
  const [first] = infos as [RunInfo, ...RunInfo[]];
  const doubt = baselineWarning(results.summary, first.plan!.classes);
  const sum = (of: (info: RunInfo) => number) => infos.reduce((total, info) => total + of(info), 0);
  const info: RunInfo = {
    ...first,
    status: 'running',
    started: infos.map(({ started }) => started).sort()[0]!,
    updated: new Date().toISOString(),
    seconds: sum(({ seconds }) => seconds),
    stageSeconds: infos.map(({ stageSeconds }) => stageSeconds).reduce(addSeconds),
    peakMemoryBytes: largest(infos.map(({ peakMemoryBytes }) => peakMemoryBytes)),
    graph: infos.find(({ graph }) => graph !== null)?.graph ?? null,
    warnings: [
      ...new Set([...infos.flatMap(({ warnings }) => warnings), ...told, ...(doubt ? [doubt] : [])]),
    ],
    command: null,
    shard: null,
    environment: { ...first.environment, merged: sources.map(({ directory }) => directory) },
  };
  await run.writeInfo(info);
  await run.write(
    files.images,
    (await readRegular(join(sources[0]!.directory, files.images))).toString('utf8'),
  );
  const lacking = lines.filter((line) =>
    line.type === 'original'
      ? !run.finished.original.has(line.chunk)
      : !run.finished.chunksOf(line.layer, line.reset).has(line.chunk),
  );
  await run.journal.appendAll(lacking);
  await writeResults(run, results);
  await writeDetails(run, {
    identity: first,
    summary: results.summary,
    chunk: first.plan!.chunk,
    classNames: first.sample.classes ?? null,
  });
  await run.writeInfo({ ...info, status: 'done', updated: new Date().toISOString() });
}

/** `layer1.0.conv1 (random) lacks images 0-255 and 3 more ...`. */
function wordsOf(missing: readonly Missing[], { plan: { chunk }, identity }: WholeSweep): string {
  const words = missing.map(({ layer, reset, chunks }) => {
    const spans = chunks.map((at) => `${at * chunk}-${Math.min((at + 1) * chunk, identity.data.images) - 1}`);
    return `${layer === null ? 'the untouched model' : `${layer} (${reset})`} images ${some(spans, 3)}`;
  });
  return `together the runs lack ${some(words, 3)}`;
}
