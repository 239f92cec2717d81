/**
 * Spans of time as Chrome's trace events, a JSON array with an event a line, which Perfetto and chrome://tracing open;
 * also one that was cut, since neither asks for the closing bracket. Spans of a lane that go on at the same time lie on
 * tracks of their own, `chunks 2`. Memory is bounded: what is collected goes to the file every so often.
 */
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { CritmapError } from '../errors.js';
import { cannotWrite } from './problems.js';
import { requireRegular } from './regular-file.js';

/** Characters that are collected, and how long they are kept back, so that little is lost with the process. */
const MOST_KEPT = 2 ** 16;
const KEPT_MS = 1000;
/** Events of one process. */
const PROCESS = 1;

interface Track {
  id: number;
  /** Where its last span ends, in milliseconds. */
  endMs: number;
}

export class TraceFile {
  readonly #tracks = new Map<string, Track[]>();
  #count = 0;
  #kept = '';
  #writtenMs = performance.now();
  #isOpen = true;

  private constructor(
    private readonly path: string,
    private readonly file: number,
    /** In the order that they are shown in. */
    private readonly lanes: readonly string[],
    private readonly onProblem: (problem: CritmapError) => void,
  ) {}

  /**
   * Creates the file, or replaces an earlier trace.
   * @param onProblem - is told once when it cannot be written any more; what comes after is not recorded
   * @throws CritmapError (ERR_RUN) when it cannot be written, or is something else than a trace
   */
  static async open(
    path: string,
    lanes: readonly string[],
    onProblem: (problem: CritmapError) => void,
  ): Promise<TraceFile> {
    try {
      await requireRegular(path).catch((error) => {
        if (error.code !== 'ENOENT') throw error;
      });
      const isNew = !isTrace(path);
      const file = openSync(path, isNew ? 'wx' : 'w');
      const trace = new TraceFile(path, file, lanes, onProblem);
      writeFileSync(file, '[\n');
      trace.#add({ name: 'process_name', ph: 'M', args: { name: 'critmap' } });
      return trace;
    } catch (error) {
      throw error instanceof CritmapError ? error : cannotWrite(path, error);
    }
  }

  /** Something that began at `fromMs`, by `performance.now()`, and ends now. Spans come in the order of their ends. */
  span(lane: string, name: string, fromMs: number, args: Readonly<Record<string, number>> = {}): void {
    const endMs = performance.now();
    const track = this.#trackOf(lane, fromMs);
    track.endMs = endMs;
    const times = {
      ts: Math.round(1000 * fromMs),
      dur: Math.round(1000 * endMs) - Math.round(1000 * fromMs),
    };
    this.#add({ name, cat: lane, ph: 'X', ...times, tid: track.id, args });
    if (endMs - this.#writtenMs > KEPT_MS || this.#kept.length > MOST_KEPT) this.#write();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#kept += '\n]\n';
    this.#write();
    this.#end();
  }

  /** The first of the lane's tracks that is free since then. */
  #trackOf(lane: string, fromMs: number): Track {
    const tracks = this.#tracks.get(lane) ?? [];
    this.#tracks.set(lane, tracks);
    const free = tracks.find(({ endMs }) => endMs <= fromMs);
    if (free) return free;
    const position = this.lanes.indexOf(lane);
    const track = { id: 1000 * (position + 1) + tracks.length, endMs: 0 };
    tracks.push(track);
    const name = tracks.length === 1 ? lane : `${lane} ${tracks.length}`;
    this.#add({ name: 'thread_name', ph: 'M', tid: track.id, args: { name } });
    this.#add({ name: 'thread_sort_index', ph: 'M', tid: track.id, args: { sort_index: track.id } });
    return track;
  }

  #add(event: object): void {
    if (!this.#isOpen) return;
    this.#kept += `${this.#count++ === 0 ? '' : ',\n'}${JSON.stringify({ pid: PROCESS, ...event })}`;
  }

  #write(): void {
    if (!this.#isOpen) return;
    try {
      // At once: what waits for the disk would have to be kept, and a page of text takes microseconds.
      writeFileSync(this.file, this.#kept);
    } catch (error) {
      this.#end();
      this.onProblem(cannotWrite(this.path, error));
    }
    this.#kept = '';
    this.#writtenMs = performance.now();
  }

  #end(): void {
    this.#isOpen = false;
    try {
      closeSync(this.file);
    } catch {
      // What could not be written has been told.
    }
  }
}

/** @throws CritmapError (ERR_RUN) for a file that is something else; false when there is none */
function isTrace(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const start = Buffer.alloc(2);
    readSync(file, start, 0, 2, 0);
    if (fstatSync(file).size === 0 || start.toString('latin1') === '[\n') return true;
    throw new CritmapError('ERR_RUN', `${path} is there already and is no trace; choose another file`);
  } finally {
    closeSync(file);
  }
}
