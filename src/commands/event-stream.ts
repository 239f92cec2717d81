/**
 * Events on stdout, for programs. Who reads slowly gets the newest progress only: all else is kept until it is read, and
 * there is no more of it than layers and warnings.
 */
import type { Writable } from 'node:stream';
import type { FetchProgress } from '../fetch/options.js';
import type { SweepEvent } from '../sweep/events.js';
import type { Progress } from '../sweep/progress.js';
import { forecast, MEASURED_MS } from './progress.js';
import { json } from './terminal.js';

/** Between two events of progress. */
const EVERY_MS = 100;
/** One of them comes last. */
const ends: readonly string[] = ['done', 'failed', 'interrupted'];

export class EventWriter<Event extends { event: string }> {
  /** Progress that has not been written yet. */
  #newest: Event | null = null;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(
    private readonly quiet: boolean,
    private readonly stream: Writable = process.stdout,
    private readonly everyMs = EVERY_MS,
  ) {
    // A pipe that somebody closed: the work goes on.
    stream.on('error', () => {
      this.#isClosed = true;
      this.#newest = null;
    });
    stream.on('drain', () => this.#writeNewest());
  }

  send(event: Event): void {
    this.#writeNewest(ends.includes(event.event));
    this.#write(event);
  }

  /** How far the work is: left out where a newer one comes soon, and of --quiet. */
  tell(event: Event): void {
    if (this.quiet || this.#isClosed) return;
    this.#newest = event;
    if (performance.now() - this.#writtenMs >= this.everyMs) this.#writeNewest();
  }

  /** @param must - also to a reader who is behind */
  #writeNewest(must = false): void {
    const event = this.#newest;
    if (!event || (this.stream.writableNeedDrain && !must)) return;
    this.#newest = null;
    this.#writtenMs = performance.now();
    this.#write(event);
  }

  #write(event: Event): void {
    if (!this.#isClosed) this.stream.write(json(event));
  }
}

/** Progress of one sweep in the words of events; `layer` is the one that was finished last. */
export function progressWords(progress: Progress, layer: string | null) {
  const { done, total, expected, resumed, elapsedMs } = progress;
  const isMeasured = elapsedMs >= MEASURED_MS && done > resumed && expected !== null;
  const secondsLeft = done >= total ? 0 : isMeasured ? forecast(progress).left : null;
  return {
    ...{ done, total, expected: expected === null ? null : Math.round(expected) },
    ...{ seconds: elapsedMs / 1000, secondsLeft, layer },
  };
}

/** One sweep's (sweep/events.ts). */
export class EventStream extends EventWriter<SweepEvent> {
  /** That was finished last: most progress is of none. */
  #layer: string | null = null;

  update(progress: Progress): void {
    if (progress.layer) this.#layer = progress.layer;
    this.tell({ event: 'progress', ...progressWords(progress, this.#layer) });
  }

  checked(done: number, total: number): void {
    this.tell({ event: 'checking', done, total });
  }

  fetched({ what, done, total }: FetchProgress): void {
    this.tell({ event: 'fetching', what, done, total });
  }

  warn(message: string): void {
    this.send({ event: 'warning', message });
  }

  note(message: string): void {
    this.send({ event: 'note', message });
  }

  clear(): void {}
}
