/**
 * A run directory: `run.json` (what was asked, with what), `cells.ndjson` (the journal) and the results made
 * from it. Whole files are replaced atomically; one process at a time writes to a run.
 */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CritmapError, messageOf } from '../errors.js';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { type Content, isTemporary, removeTemporary, replaceFile } from '../files/replace.js';
import type { Finished } from './finished.js';
import { differencesOf, identity, type RunIdentity, sealOf } from './identity.js';
import { Journal } from './journal.js';
import { lock } from './lock.js';
import { markFailed } from './mark-failed.js';
import { lineNumbers } from './scan-journal.js';
import { setAside } from './set-aside.js';
import { shardPlan } from './shard-plan.js';
import { noSeconds, stageSecondsSchema } from './stages.js';

export type { RunIdentity } from './identity.js';

export const runInfoSchema = identity.extend({
  /** 1 had a journal without checksums. */
  version: z.union([z.literal(1), z.literal(2)]),
  critmap: z.string(),
  status: z.enum(['running', 'done', 'interrupted', 'failed']),
  started: z.string(),
  updated: z.string(),
  /** Seconds of computing, over all the times the run was continued. */
  seconds: z.number(),
  cells: z.number(),
  environment: z.record(z.string(), z.unknown()),
  warnings: z.array(z.string()),
  /** What they were spent on, over all the times as well. */
  stageSeconds: stageSecondsSchema.default(noSeconds),
  /** The most memory that critmap's process has had, in bytes. */
  peakMemoryBytes: z.number().default(0),
  /** What the engine has computed, known once it is open: the model's own graph, or the runtime's optimised one. */
  graph: z.enum(['model', 'runtime']).nullable().default(null),
  /** The words after `critmap` that began the run, where there were some. */
  command: z.array(z.string()).nullable().default(null),
  /** Which part of the sweep the run was asked for; null for all of it. */
  shard: z
    .object({ index: z.int().min(1), of: z.int().min(1) })
    .nullable()
    .default(null),
  /** What is needed to put parts together without model and images. */
  plan: shardPlan.nullable().default(null),
  /** Which of the source's images were drawn; they are listed in `file`, but for those that were left out. */
  sample: z.object({
    file: z.string(),
    seed: z.number(),
    total: z.number(),
    skipped: z.array(z.object({ image: z.union([z.string(), z.number()]), problem: z.string() })),
    /** Names of the classes by index, where there is a file that needs them. */
    classes: z.array(z.string()).optional(),
  }),
});
export type RunInfo = z.infer<typeof runInfoSchema>;
type WrittenInfo = z.input<typeof runInfoSchema>;

/** What the lines of a run's journal begin their checksums with; null where they have none. */
export const journalSeal = (info: RunInfo) => (info.version === 1 ? null : sealOf(info));

export const files = {
  info: 'run.json',
  images: 'images.csv',
  journal: 'cells.ndjson',
  summary: 'summary.json',
  table: 'summary.csv',
  results: 'results.csv',
  draws: 'draws.csv',
  /** Where they are asked for. */
  perImage: 'per-image',
  perClass: 'per-class.csv',
  report: 'report.html',
  lock: 'lock',
} as const;

export interface OpenRun {
  directory: string;
  journal: Journal;
  finished: Finished;
  /** As found when an earlier run is continued; null for a new one. */
  earlier: RunInfo | null;
  /** What was noticed of the directory. */
  warnings: readonly string[];
  writeInfo(info: WrittenInfo): Promise<void>;
  /** Replaces a file of the run atomically. */
  write(name: string, content: Content): Promise<void>;
  close(): Promise<void>;
}

/**
 * Creates a run directory, or opens the one of the same sweep to go on with it.
 * @param options - `force` begins anew: a run that is there is kept under another name
 * @throws CritmapError (ERR_RUN): not writable, holds another run (the differences are named) or other files,
 *   or another process is writing to it.
 */
export async function openRun(
  directory: string,
  wanted: RunIdentity,
  { force = false }: { force?: boolean | undefined } = {},
): Promise<OpenRun> {
  try {
    await makeDirectory(resolve(directory));
  } catch (error) {
    throw cannotWrite(directory, error);
  }
  const path = (name: string) => join(directory, name);
  // Nothing is put into a directory of other files; what counts is what is there when the lock is held.
  await refuseOtherFiles(directory).catch((error) => {
    throw error instanceof CritmapError ? error : cannotWrite(directory, error);
  });
  const aside = force ? await setAside(directory, files) : null;
  const { release: unlock, warnings } = await lock(path(files.lock));
  try {
    const earlier = (await refuseOtherFiles(directory)) ? await readInfo(directory) : null;
    if (earlier) refuseOther(directory, earlier, wanted);
    await removeTemporary(directory);
    const { journal, finished, damaged } = await Journal.open(path(files.journal), sealOf(wanted));
    if (aside !== null) warnings.push(`the earlier run is kept in ${aside}`);
    if (damaged.length > 0) {
      warnings.push(
        `${journal.path}: ${lineNumbers(damaged)} damaged or of another run; what it held is computed again`,
      );
    }
    const write = (name: string, content: Content) => replaceFile(path(name), content);
    return {
      directory,
      journal,
      finished,
      earlier,
      warnings,
      write,
      async writeInfo(info) {
        try {
          await write(files.info, `${JSON.stringify(info, null, 1)}\n`);
        } catch (error) {
          // A full disk has no room for another file, but for a word in the one that is there.
          if (info.status !== 'running') await markFailed(path(files.info)).catch(() => {});
          throw error;
        }
      },
      close: () =>
        journal
          .close()
          .finally(unlock)
          .catch((error) => Promise.reject(cannotWrite(directory, error))),
    };
  } catch (error) {
    await unlock().catch(() => {});
    throw error instanceof CritmapError ? error : cannotWrite(directory, error);
  }
}

/**
 * What is a run's identity but known only when its engine is open.
 * @throws CritmapError (ERR_RUN) when chunks of another graph are in the journal
 */
export function refuseOtherGraph({ directory, earlier }: OpenRun, graph: RunInfo['graph']): void {
  const before = earlier?.graph ?? null;
  if (before === null || before === graph) return;
  const names = { model: "the model's own graph", runtime: "the runtime's optimised graph" };
  throw new CritmapError(
    'ERR_RUN',
    `${directory} was computed from ${names[before]}, now it would be ${graph ? names[graph] : 'another'}, whose last bits differ; repeat the command where it was begun, or choose another directory for --out`,
  );
}

/**
 * @returns whether there is a run
 * @throws CritmapError (ERR_RUN) when there are only other files
 */
async function refuseOtherFiles(directory: string): Promise<boolean> {
  const present = await contents(directory);
  if (present.includes(files.info)) return true;
  if (present.length === 0) return false;
  throw new CritmapError(
    'ERR_RUN',
    `${directory} already holds other files (${present.slice(0, 3).join(', ')}); choose an empty or new directory for --out`,
  );
}

/** What counts as there: not the traces of a run that ended before it had begun, whose journal is empty. */
async function contents(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name !== files.lock && !isTemporary(name));
  if (names.includes(files.info) || !names.every((name) => own.includes(name))) return names;
  const begun = !names.includes(files.journal) || (await stat(join(directory, files.journal))).size > 0;
  return begun ? names : [];
}

const own: readonly string[] = Object.values(files);

/** @throws CritmapError (ERR_RUN) when the directory is not a run or its run.json is damaged. */
export async function readInfo(directory: string): Promise<RunInfo> {
  return readJson(directory, files.info, runInfoSchema);
}

/** Reads one of a run's JSON files against its schema. */
export async function readJson<T>(directory: string, name: string, schema: z.ZodType<T>): Promise<T> {
  const path = join(directory, name);
  let text: string;
  try {
    text = (await readRegular(path)).toString('utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CritmapError(
      'ERR_RUN',
      missing
        ? `${directory} is not a finished critmap run: it has no ${name}`
        : `cannot read ${path}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CritmapError('ERR_RUN', `${path} is damaged: it is not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CritmapError(
    'ERR_RUN',
    `${path} is damaged or of another version: ${issue?.path.join('.') || 'the file'}: ${issue?.message}`,
  );
}

function refuseOther(directory: string, earlier: RunInfo, wanted: RunIdentity): void {
  const differences = differencesOf(earlier, wanted);
  if (differences.length === 0 && earlier.version === 1) {
    throw new CritmapError(
      'ERR_RUN',
      `${directory} was begun by an earlier critmap, whose journal has no checksums; choose another directory for --out, or start over with --force, which keeps it aside`,
    );
  }
  if (differences.length > 0) {
    throw new CritmapError(
      'ERR_RUN',
      `${directory} holds another run (${differences.join('; ')}); choose another directory for --out, repeat that command to go on with it, or start over with --force, which keeps it aside`,
    );
  }
}
