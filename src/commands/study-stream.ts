/** A study's events on stdout, for programs (study/events.ts). */
import type { StudyLine } from '../study/events.js';
import type { StudyEvent } from '../study/run-study.js';
import { EventWriter, progressWords } from './event-stream.js';

export class StudyStream extends EventWriter<StudyLine> {
  /** By sweep, the layer that was finished last. */
  readonly #layers = new Map<string, string>();

  constructor(
    quiet: boolean,
    private readonly study: { name: string; out: string },
  ) {
    super(quiet);
  }

  begin(sweeps: readonly string[]): void {
    this.send({ event: 'started', ...this.study, sweeps: [...sweeps] });
  }

  told(event: StudyEvent): void {
    const sweep = event.task.place;
    if (event.type === 'progress') {
      const { progress } = event;
      if (progress.layer) this.#layers.set(sweep, progress.layer);
      this.tell({
        event: 'progress',
        sweep,
        ...progressWords(progress, this.#layers.get(sweep) ?? null),
      });
    } else if (event.type === 'checking') {
      this.tell({ event: 'checking', sweep, done: event.done, total: event.total });
    } else if (event.type === 'fetching') {
      this.tell({ event: 'fetching', sweep, ...event.progress });
    } else if (event.type === 'stopped') {
      this.send({ event: 'stopped', sweep, ...event.stopped });
    } else if (event.type === 'warning') {
      this.send({ event: 'warning', sweep, message: event.message });
    } else if (event.type === 'failed') {
      const { code, message } = event.failure;
      this.send({ event: 'failure', sweep, code, message });
    } else {
      this.send({ event: 'sweep', sweep, state: event.type });
    }
  }

  note(message: string): void {
    this.send({ event: 'warning', sweep: null, message });
  }

  finish(): void {}
}
