/**
 * What is read of Parquet files, read in a process of its own: the library believes what a file says of itself, and a
 * damaged one may end that process, fill its memory or keep it busy for ever. One process serves all that this thread
 * reads. It starts when it is first needed, ends when nobody has needed it for a while, and is started again after its
 * end; what others were waiting for then is asked again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { FileMetaData } from 'hyparquet';
import { Budget, untilAborted } from '../../concurrency.js';
import { CritmapError, messageOf } from '../../errors.js';
import { packageRoot } from '../../version.js';
import { type ImageError, imageError } from '../input-error.js';

/** For the footer of a file, or for the values of its only column. */
export interface ParquetRequest {
  path: string;
  /** With one leaf and one row group. */
  column?: FileMetaData;
}

/**
 * What became of request `id`. `file`: the file could not be read, with the system's code where it has one;
 * `structure`: the library stumbled over its own objects; `content`: the library's reason.
 */
export type ParquetAnswer =
  | { id: number; value: unknown }
  | { id: number; of: 'file'; problem: string; remedy: string; code: string | undefined }
  | { id: number; of: 'structure'; problem: string }
  | { id: number; of: 'content'; problem: string };

/** What it says first: it has started, and whatever ends it from now on may be a file. */
export type ParquetReady = 'ready';

/** How V8 ends a process whose heap is full, on Windows with an exit code. */
const HEAP_FULL: readonly unknown[] = ['SIGABRT', 'SIGTRAP', 134];

/** While one answer is on its way, the next is worked on; each may be a row group of a gigabyte. */
const AT_ONCE = 2;
/** What a request may take. */
interface Limits {
  /** A large row group gets more, as a slow disk or a busy machine needs it. */
  seconds: number;
  /** A damaged page may fill it. A million values need some 800, without their bytes, which are not in it. */
  heapMiB: number;
}

const LEAST_BYTES_A_SECOND = 1e6;
const IDLE_MS = 10_000;

interface Pending {
  path: string;
  secondsLeft: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The process is gone. */
class Ended extends Error {
  /**
   * @param reason - what is wrong with the request, if it was the cause
   * @param certain - whether it was
   */
  constructor(
    readonly reason: Error,
    readonly certain: boolean,
  ) {
    super(reason.message);
  }
}

/** The child's script is of this file's kind: where it is TypeScript, a loader runs it, which the child needs too. */
const isSource = extname(import.meta.url) === '.ts';
const [folder, ending] = isSource ? ['src', '.ts'] : ['dist', '.js'];
const script = join(packageRoot, folder, 'images', 'parquet', `child${ending}`);
const loaders = isSource ? process.execArgv : [];

export class ParquetProcess {
  readonly #turns = new Budget(AT_ONCE);
  #child: Child | null = null;

  constructor(readonly limits: Limits = { seconds: 60, heapMiB: 1536 }) {}

  /** @throws as {@link column} */
  async footer(path: string, signal?: AbortSignal): Promise<FileMetaData> {
    return (await this.#ask({ path }, signal)) as FileMetaData;
  }

  /**
   * The values of a column, in row order.
   * @param column - the file's metadata with one leaf and one row group only
   * @param signal - gives it up at once
   * @throws the signal's reason; TypeError when the file's structure is damaged, Error with the library's reason,
   *   CritmapError when the file cannot be read or the machine has no room for it
   */
  async column(path: string, column: FileMetaData, signal?: AbortSignal): Promise<unknown[]> {
    return (await this.#ask({ path, column }, signal)) as unknown[];
  }

  /** Process id of the reader that is running; null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async #ask(request: ParquetRequest, signal: AbortSignal | undefined): Promise<unknown> {
    const seconds = this.limits.seconds + bytesOf(request.column) / LEAST_BYTES_A_SECOND;
    const send = () => {
      signal?.throwIfAborted();
      if (!this.#child?.running) this.#child = new Child(request.path, this.limits.heapMiB);
      return this.#child.ask(request, seconds, signal);
    };
    try {
      // Once more alone, since it may have ended for another request.
      const answer = this.#turns.run(1, send).catch((thrown) => {
        if (thrown instanceof Ended && !thrown.certain) return this.#turns.run(AT_ONCE, send);
        throw thrown;
      });
      return await untilAborted(answer, signal);
    } catch (thrown) {
      throw thrown instanceof Ended ? thrown.reason : thrown;
    }
  }
}

function bytesOf(metadata: FileMetaData | undefined): number {
  const columns = metadata?.row_groups[0]?.columns ?? [];
  return columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);
}

/** One process, from its start to its end. */
class Child {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #requests = 0;
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #late = false;
  #ready = false;
  #running = true;

  /**
   * @param path - for which it is started
   * @throws CritmapError when it cannot be
   */
  constructor(path: string, heapMiB: number) {
    try {
      this.#process = fork(script, [String(process.pid)], {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        execArgv: [...loaders, `--max-old-space-size=${heapMiB}`],
      });
    } catch (thrown) {
      throw notStarted(path, thrown);
    }
    let exited = false;
    // What it sent before its end may still arrive after it.
    const gone = () => {
      this.#running = false;
      if (exited && !this.#process.connected) this.#fail();
    };
    this.#process.on('message', (message) => {
      if (message === ('ready' satisfies ParquetReady)) this.#ready = true;
      else this.#settle(message as ParquetAnswer);
    });
    this.#process.on('exit', () => {
      exited = true;
      gone();
    });
    this.#process.on('disconnect', () => {
      this.#end();
      gone();
    });
    this.#process.on('error', (thrown) => {
      if (this.#process.pid !== undefined) return;
      this.#running = false;
      this.#rejectAll((asked) => notStarted(asked.path, thrown));
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get pid(): number | null {
    return (this.#running && this.#process.pid) || null;
  }

  async ask(request: ParquetRequest, seconds: number, signal: AbortSignal | undefined): Promise<unknown> {
    const id = this.#requests++;
    const answer = new Promise((resolve, reject) => {
      this.#pending.set(id, { path: request.path, secondsLeft: seconds, resolve, reject });
      this.#hold();
      // What goes wrong here shows in the process's end; one that was not started has no such function.
      this.#process.send?.({ id, request }, () => {});
    });
    try {
      return await untilAborted(answer, signal);
    } finally {
      // It has no other way to leave what it is busy with; what others wait for is asked again.
      if (this.#pending.delete(id)) {
        this.#end();
        this.#hold();
      }
    }
  }

  #settle(answer: ParquetAnswer): void {
    const asked = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    this.#hold();
    if (!asked) return;
    if ('value' in answer) asked.resolve(answer.value);
    else if (answer.of === 'file') asked.reject(fileErrorOf(asked.path, answer));
    else if (answer.of === 'structure') asked.reject(new TypeError(answer.problem));
    else asked.reject(new Error(answer.problem));
  }

  /** All that it was asked has no answer any more. */
  #fail(): void {
    const alone = this.#pending.size === 1;
    const certain = alone && (this.#late || this.#requests === 1);
    this.#rejectAll(({ path }) => new Ended(this.#reason(path), certain));
  }

  #reason(path: string): Error {
    if (this.#late) return new Error('it is damaged: reading it would never end');
    const end = this.#process.signalCode ?? this.#process.exitCode;
    if (this.#ready && HEAP_FULL.includes(end)) {
      return new Error('it is damaged: reading it would fill the memory');
    }
    if (end === 'SIGKILL') {
      return new CritmapError(
        'ERR_IMAGES',
        `${path}: the process that read it was killed, which happens when memory runs out; close other programs, or write the file with smaller row groups`,
      );
    }
    const how = typeof end === 'string' ? end : `exit code ${end}`;
    const when = this.#ready ? 'ended before it was done' : 'did not start';
    return new CritmapError(
      'ERR_IMAGES',
      `${path}: the process that reads it ${when} (${how}); close other programs and try again`,
    );
  }

  #rejectAll(reason: (asked: Pending) => Error): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.#hold();
    for (const asked of all) asked.reject(reason(asked));
  }

  /** Only what is being read keeps this process alive, and the other one for long. */
  #hold(): void {
    clearTimeout(this.#idle);
    if (this.#pending.size > 0) {
      this.#process.ref();
      this.#process.channel?.ref();
      this.#watch ??= setInterval(() => this.#tick(), 1000);
      return;
    }
    this.#process.unref();
    this.#process.channel?.unref();
    clearInterval(this.#watch);
    this.#watch = undefined;
    if (this.#running) this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
  }

  /** Seconds are counted one by one: those in which both processes are stopped (Ctrl-Z) do not count. */
  #tick(): void {
    for (const asked of this.#pending.values()) {
      if (--asked.secondsLeft > 0) continue;
      this.#late = true;
      this.#end();
    }
  }

  #end(): void {
    this.#running = false;
    this.#process.kill('SIGKILL');
  }
}

/** An error's own properties do not cross; whether the machine is to blame is told by its code. */
function fileErrorOf(
  path: string,
  { problem, remedy, code }: Extract<ParquetAnswer, { of: 'file' }>,
): ImageError {
  const cause = code === undefined ? undefined : Object.assign(new Error(problem), { code });
  return imageError(path, problem, remedy, cause);
}

function notStarted(path: string, thrown: unknown): CritmapError {
  return new CritmapError(
    'ERR_IMAGES',
    `${path}: cannot start a process to read it (${messageOf(thrown)}); close other programs`,
    { cause: thrown },
  );
}

/** The one that all sources of this thread share. */
export const parquetProcess = new ParquetProcess();
