/** Columns of Parquet files, read in a process of their own: a damaged file may end that one, never this. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileMetaData } from 'hyparquet';

export interface ColumnRequest {
  path: string;
  /** With the wanted leaf as its only column. */
  metadata: FileMetaData;
  column: string;
  /** Rows [rowStart, rowEnd). */
  rowStart: number;
  rowEnd: number;
}

/** `structure`: the library stumbled over its own objects. */
export type ColumnAnswer =
  | { id: number; values: unknown[] }
  | { id: number; problem: string; structure: boolean };

interface Pending {
  resolve(values: unknown[]): void;
  reject(error: Error): void;
}

/** The same kind of file as this one: TypeScript where a loader runs it. */
const child = fileURLToPath(new URL(`./parquet-child${extname(import.meta.url)}`, import.meta.url));

export class ColumnReader {
  readonly #pending = new Map<number, Pending>();
  #process: ChildProcess | null = null;
  #requests = 0;

  /**
   * The values of one column, in row order.
   * @throws TypeError when the file's structure is damaged, Error with the reason for whatever else is wrong
   */
  read(request: ColumnRequest): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const id = this.#requests++;
      this.#pending.set(id, { resolve, reject });
      this.#process ??= this.#start();
      this.#hold();
      this.#process.send({ id, request }, (error) => error && this.#settle(id)?.reject(error));
    });
  }

  /** Ends the process; what it was asked is rejected. */
  close(): void {
    this.#process?.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const made = fork(child, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    made.on('message', (message) => {
      const answer = message as ColumnAnswer;
      const asked = this.#settle(answer.id);
      if ('values' in answer) asked?.resolve(answer.values);
      else asked?.reject(answer.structure ? new TypeError(answer.problem) : new Error(answer.problem));
    });
    const ended = () => {
      if (this.#process === made) this.#process = null;
      for (const id of [...this.#pending.keys()]) {
        this.#settle(id)?.reject(new Error('its pages claim what cannot be'));
      }
    };
    made.on('exit', ended);
    made.on('error', ended);
    return made;
  }

  #settle(id: number): Pending | undefined {
    const asked = this.#pending.get(id);
    this.#pending.delete(id);
    this.#hold();
    return asked;
  }

  /** Only what is being read keeps this process alive. */
  #hold(): void {
    const made = this.#process;
    if (!made) return;
    if (this.#pending.size > 0) {
      made.ref();
      made.channel?.ref();
    } else {
      made.unref();
      made.channel?.unref();
    }
  }
}
