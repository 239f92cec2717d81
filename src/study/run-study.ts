/**
 * A study computed: one sweep after the other, or several at a time through a queue. What is finished is skipped, the next
 * model and its images are opened while one is swept, and a sweep that fails keeps no other from its turn.
 */

import { join } from 'node:path';
import { CritmapError, type CritmapErrorCode, messageOf, some } from '../errors.js';
import type { FetchProgress } from '../fetch/options.js';
import { isRemote } from '../fetch/words.js';
import { isDeviceLost } from '../native/open-engine.js';
import { type OptionKinds, refuseMisuse as refuseOptions } from '../options.js';
import { type OpenSweep, openSweep } from '../request/open-sweep.js';
import { Listeners } from '../sweep/listeners.js';
import type { StoppedLayer } from '../sweep/observer.js';
import type { Progress } from '../sweep/progress.js';
import type { Shard, SweepOptions } from '../sweep/settings.js';
import { type Computer, computeHere, sweepWith } from '../sweep/sweep.js';
import { costsOfSweeps, macsOf } from './costs.js';
import { inStudyWords } from './option-words.js';
import { inStudyOf } from './own-directory.js';
import { planOfStudy } from './plan-text.js';
import { Pools } from './pools.js';
import { filesOf, finish, forget, isFinished } from './stamps.js';
import type { Study, StudySweep } from './study.js';
import { shardTasks, type Task, wholeTasks } from './tasks.js';

/** What happens to one sweep of a study. */
export type StudyEvent = { task: Task } & (
  | { type: 'skipped' | 'opening' | 'opened' | 'started' | 'done' }
  | { type: 'checking'; done: number; total: number }
  | { type: 'fetching'; progress: FetchProgress }
  | { type: 'progress'; progress: Progress }
  | { type: 'stopped'; stopped: StoppedLayer }
  | { type: 'warning'; message: string }
  | { type: 'failed'; failure: StudyFailure }
);

/** A sweep that failed, while the others went on. */
export interface StudyFailure {
  place: string;
  code: CritmapErrorCode | null;
  message: string;
}

/** Where a study goes, what computes it, and who is told. */
export interface RunStudyOptions {
  /** The study's directory: each sweep has its run in it, `MODEL/IMAGES`. */
  out: string;
  /** A part of the study: the `index`-th of `of`, from 1. */
  shard?: Shard | undefined;
  /** Start over: runs that are there are kept under other names. */
  force?: boolean | undefined;
  /** Told first: what is to be computed here, finished or not. */
  onTasks?: ((tasks: readonly Task[]) => void) | undefined;
  /** What computes a sweep; default this process. @internal */
  computerOf?: ((task: Task) => Computer) | undefined;
  /** How many sweeps are under way at a time; default 1. */
  atOnce?: number | undefined;
  /** The words that began the study, for `run.json`. */
  command?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  /** Called for whatever happens. */
  onEvent?: ((event: StudyEvent) => void) | undefined;
}

/**
 * Computes what a study's directory lacks.
 * @returns the sweeps that failed
 * @throws CritmapError (ERR_STUDY) when the directory is of another study, (ERR_RUN) when it cannot be written or another
 *   process writes there, (ERR_NATIVE) when a card is lost to this process; the signal's reason after an abort, with
 *   everything that is finished kept; what `onEvent` threw, after everything is done
 */
export async function runStudy(study: Study, options: RunStudyOptions): Promise<StudyFailure[]> {
  refuseMisuse(study, options);
  const { out, shard, signal = new AbortController().signal } = options;
  const listeners = new Listeners();
  const onEvent = listeners.guard(options.onEvent ?? (() => {}));
  const tasks = await tasksOf(study, shard);
  options.onTasks?.(tasks);
  const plan = planOfStudy(study, { shard: shard ?? null, tasks, command: options.command ?? null });
  return inStudyOf(out, plan, async () => {
    const running = new Running(tasks, { ...options, signal, onEvent });
    try {
      await running.all();
    } finally {
      await running.close();
    }
    listeners.rethrow();
    return running.failures;
  });
}

/** What TypeScript would have refused. */
function refuseMisuse(study: Study, options: RunStudyOptions): void {
  const { out, atOnce = 1 } = options ?? {};
  const areSweeps =
    Array.isArray(study?.sweeps) &&
    study.sweeps.every(({ place, words }) => typeof place === 'string' && typeof words?.data === 'string');
  if (!areSweeps || typeof out !== 'string' || out === '') {
    throw new TypeError('runStudy takes a study (readStudy) and options with the directory out');
  }
  refuseOptions('runStudy', options, known);
  if (!Number.isSafeInteger(atOnce) || atOnce < 1 || atOnce > MOST_AT_ONCE) {
    throw new RangeError(`atOnce must be a whole number from 1 to ${MOST_AT_ONCE}, got ${String(atOnce)}`);
  }
}

const known = {
  ...{ out: null, shard: null, force: 'boolean', atOnce: null, command: 'texts', signal: 'signal' },
  ...{ onTasks: 'function', computerOf: 'function', onEvent: 'function' },
} as const satisfies OptionKinds<RunStudyOptions>;

async function tasksOf(study: Study, shard: Shard | undefined): Promise<Task[]> {
  if (shard === undefined) return wholeTasks(study.sweeps);
  if (typeof shard !== 'object' || shard === null) throw new TypeError('shard must be { index, of }');
  const { index, of } = shard;
  if (![index, of].every(Number.isSafeInteger) || index < 1 || index > of) {
    throw new CritmapError('ERR_OPTION', `the shard must be I/N with I from 1 to N, got ${index}/${of}`);
  }
  return shardTasks(study.sweeps, await weightsOf(study), of)[index - 1]!;
}

/**
 * Of the sweeps, the same in every process that has the same files: nothing is fetched for it, and what is of an address is
 * like the others.
 * @throws CritmapError (ERR_STUDY) for a file that is not there: shards without it would be dealt out otherwise
 */
async function weightsOf({ sweeps }: Study): Promise<number[]> {
  const isLocal = ({ words }: StudySweep) => words.arch !== undefined || !isRemote(words.model ?? '');
  const local = sweeps.filter(isLocal);
  const costs = new Map<StudySweep, number>();
  for (const [i, cost] of (await costsOfSweeps(local)).entries()) {
    const sweep = local[i]!;
    if (cost instanceof CritmapError) {
      throw new CritmapError(
        'ERR_STUDY',
        `shards are dealt out by what sweeps cost, and ${sweep.place} cannot be computed: ${cost.message}`,
        { cause: cost },
      );
    }
    if (!cost) {
      throw new CritmapError(
        'ERR_STUDY',
        `shards are dealt out by what models cost, and ${sweep.model.id} (${sweep.words.model ?? sweep.words.arch}) cannot be opened; put it in its place on this machine too`,
      );
    }
    costs.set(sweep, macsOf(cost));
  }
  const known = [...costs.values()];
  const usual = known.length > 0 ? known.reduce((sum, cost) => sum + cost, 0) / known.length : 1;
  return sweeps.map((sweep) => costs.get(sweep) ?? usual);
}

/** Each has a model in memory. */
const MOST_AT_ONCE = 64;

/** With its files as they were before. */
type Opened = { files: string | null } & ({ sweep: OpenSweep } | { error: unknown });

class Running {
  readonly failures: StudyFailure[] = [];
  /** What is not finished. */
  readonly #tasks: Task[] = [];
  readonly #pools = new Pools();
  readonly #opened = new Map<number, Promise<Opened>>();
  #next = 0;
  /** Whether a card is of no use to this process any more. */
  #isLost = false;

  constructor(
    private readonly wanted: readonly Task[],
    private readonly options: RunStudyOptions & { signal: AbortSignal },
  ) {}

  async all(): Promise<void> {
    const { atOnce = 1, force = false, out } = this.options;
    for (const task of this.wanted) {
      const { place, sweep, part } = task;
      const isDone = !force && (await isFinished(join(out, place), sweep.words, part !== null));
      if (isDone) this.#tell({ task, type: 'skipped' });
      else this.#tasks.push(task);
    }
    const ended = await Promise.allSettled(Array.from({ length: atOnce }, () => this.#someOfThem()));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    this.failures.sort((a, b) => (a.place < b.place ? -1 : 1));
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.values());
    await this.#pools.close();
  }

  async #someOfThem(): Promise<void> {
    while (this.#next < this.#tasks.length && !this.#isLost) {
      const at = this.#next++;
      this.options.signal.throwIfAborted();
      await this.#one(at);
    }
  }

  async #one(at: number): Promise<void> {
    const { signal } = this.options;
    const task = this.#tasks[at]!;
    try {
      const opened = await this.#open(at);
      await this.#compute(task, opened);
      await finish(join(this.options.out, task.place), task.sweep.words, opened.files);
      this.#tell({ task, type: 'done' });
    } catch (error) {
      signal.throwIfAborted();
      await forget(join(this.options.out, task.place), task.sweep.words);
      this.#fail(task, error);
      // All others would fail for the same reason; another process may go on.
      if (isDeviceLost(error)) {
        this.#isLost = true;
        throw error;
      }
    } finally {
      this.#opened.delete(at);
      this.#pools.keepModels(this.#tasks.slice(at + 1, this.#next + 2).map(({ sweep }) => sweep.words));
    }
  }

  async #compute(task: Task, opened: Opened): Promise<void> {
    if ('error' in opened) throw opened.error;
    const { model, images, options } = opened.sweep;
    const { out, force, command, computerOf = () => computeHere } = this.options;
    try {
      this.#tell({ task, type: 'started' });
      // While this one is computed.
      this.#open(this.#next);
      const all: SweepOptions = {
        ...options,
        out: join(out, task.place),
        ...(task.part && { shard: task.part }),
        ...(force !== undefined && { force }),
        ...(command && { command }),
        onProgress: (progress) => this.#tell({ task, type: 'progress', progress }),
        onWarning: (message) => this.#tell({ task, type: 'warning', message: inStudyWords(message) }),
      };
      await sweepWith(computerOf(task), model, images, all, {
        stopped: (stopped) => this.#tell({ task, type: 'stopped', stopped }),
      });
    } finally {
      await this.#pools.release(images);
    }
  }

  /** A task's model and images, opened once; what is wrong with them is told when its turn has come. */
  async #open(at: number): Promise<Opened> {
    const task = this.#tasks[at];
    if (!task) return { error: null, files: null };
    const known = this.#opened.get(at);
    if (known) return known;
    const { signal } = this.options;
    const opened = (async (): Promise<Opened> => {
      const files = await filesOf(task.sweep.words).catch(() => null);
      try {
        this.#tell({ task, type: 'opening' });
        const checking = (done: number, total: number) => this.#tell({ task, type: 'checking', done, total });
        const fetching = (progress: FetchProgress) => this.#tell({ task, type: 'fetching', progress });
        const { openers } = this.#pools;
        const sweep = await openSweep(task.sweep.words, signal, checking, openers, fetching);
        this.#tell({ task, type: 'opened' });
        return { sweep, files };
      } catch (error) {
        return { error, files };
      }
    })();
    this.#opened.set(at, opened);
    return opened;
  }

  #fail(task: Task, error: unknown): void {
    const failure = {
      place: task.place,
      code: error instanceof CritmapError ? error.code : null,
      message: inStudyWords(messageOf(error)),
    };
    this.failures.push(failure);
    this.#tell({ task, type: 'failed', failure });
  }

  #tell(event: StudyEvent): void {
    this.options.onEvent?.(event);
  }
}

/** What a study that is not whole says at its end. */
export function failedWords(failures: readonly StudyFailure[], all: number): string {
  const places = new Map<string, string[]>();
  for (const { place, message } of failures) {
    const known = places.get(message);
    if (known) known.push(place);
    else places.set(message, [place]);
  }
  const words = [...places].map(([message, found]) => `${some(found, 2)}: ${message}`);
  return `${failures.length} of ${all} sweeps failed: ${some(words, 3)}. Once that is mended, repeat the command: what is finished is not swept again`;
}
