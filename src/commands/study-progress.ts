/** How far a study is, on stderr: a live table on a terminal, a line for what begins and ends in a log. */
import { printable } from '../report/text.js';
import { largest } from '../statistics/extremes.js';
import type { StudyEvent } from '../study/run-study.js';
import type { Study } from '../study/study.js';
import type { Task } from '../study/tasks.js';
import { duration } from './progress.js';

const REDRAW_MS = 200;
/** Rows of the table besides models. */
const HEAD = 2;
const BAR = 10;

interface State {
  state:
    | 'waiting'
    | 'skipped'
    | 'opening'
    | 'opened'
    | 'fetching'
    | 'checking'
    | 'started'
    | 'done'
    | 'failed';
  share: number;
  /** Computed in this run. */
  began: number | null;
  words: string;
  /** Layers that are known well enough. */
  stopped: number;
}

export class StudyProgress {
  readonly #started = Date.now();
  readonly #states = new Map<string, State>();
  #places: readonly string[];
  #tasks: Map<string, string[]> | null = null;
  #lines = 0;
  #last = 0;

  constructor(
    private readonly study: Study,
    private readonly quiet: boolean,
    private readonly stream: NodeJS.WriteStream = process.stderr,
  ) {
    this.#places = study.sweeps.map(({ place }) => place);
  }

  /** Of a shard, its own. */
  begin(places: readonly string[]): void {
    this.#places = places;
    this.#tasks = null;
  }

  told(event: StudyEvent): void {
    const { task } = event;
    const state = this.#stateOf(task);
    if (event.type === 'warning') {
      this.note(`${task.place}: warning: ${event.message}`);
      return;
    }
    if (event.type === 'stopped') {
      state.stopped++;
    } else if (event.type === 'progress') {
      const { done, total, expected } = event.progress;
      // Images are checked while a sweep is under way.
      state.state = 'started';
      const all = done >= total ? total : (expected ?? total);
      state.share = all > 0 ? done / all : 1;
      state.words = event.progress.layer || state.words;
    } else {
      state.state = event.type;
      if (event.type === 'fetching') {
        const { done, total } = event.progress;
        state.share = total ? done / total : 0;
      }
      if (event.type === 'checking') state.share = event.total > 0 ? event.done / event.total : 1;
      if (event.type === 'started') Object.assign(state, { began: Date.now(), share: 0 });
      if (event.type === 'failed') this.note(`${task.place} failed: ${event.failure.message}`);
      this.#log(event, state);
    }
    this.#draw(false);
  }

  /** A line above the table. */
  note(text: string): void {
    this.#clear();
    this.stream.write(`${printable(text)}\n`);
    this.#draw(true);
  }

  finish(): void {
    this.#draw(true);
    this.#lines = 0;
  }

  #stateOf({ place }: Task): State {
    const known = this.#states.get(place);
    if (known) return known;
    const state = { ...WAITING };
    this.#states.set(place, state);
    return state;
  }

  #log({ type, task }: StudyEvent, { began }: State): void {
    if (this.quiet || this.stream.isTTY) return;
    if (type !== 'started' && type !== 'done' && type !== 'skipped') return;
    const finished = [...this.#states.values()].filter(({ state }) => isOver(state)).length;
    const time = type === 'done' && began !== null ? ` in ${duration((Date.now() - began) / 1000)}` : '';
    const words = type === 'skipped' ? 'is there already' : type;
    this.stream.write(`${printable(task.place)} ${words}${time} (${finished} of ${this.#places.length})\n`);
  }

  #draw(now: boolean): void {
    if (this.quiet || !this.stream.isTTY) return;
    if (!now && Date.now() - this.#last < REDRAW_MS) return;
    this.#last = Date.now();
    this.#clear();
    const width = Math.max(20, (this.stream.columns ?? 80) - 1);
    const lines = this.table((this.stream.rows ?? 24) - 1).map((line) => printable(line).slice(0, width));
    this.stream.write(lines.map((line) => `${line}\n`).join(''));
    this.#lines = lines.length;
  }

  #clear(): void {
    if (this.#lines > 0) this.stream.write(`\x1b[${this.#lines}A\x1b[0J`);
    this.#lines = 0;
  }

  /** As many models as there is room for, around the one that is under way. */
  table(height: number): string[] {
    const { models, images } = this.study;
    const cells = models.map((model) => images.map((set) => this.#cell(`${model.id}/${set.id}`)));
    const widths = images.map((set, i) =>
      largest(
        cells.map((row) => row[i]!.length),
        Math.max(set.id.length, BAR + 5),
      ),
    );
    const name = largest(
      models.map(({ id }) => id.length),
      5,
    );
    const room = Math.max(1, height - HEAD);
    const active = models.findIndex((model) =>
      images.some((set) => !isOver(this.#merged(`${model.id}/${set.id}`).state)),
    );
    const from = Math.max(0, Math.min(models.length - room, (active < 0 ? models.length : active) - 2));
    return [
      this.#overall(),
      `${'model'.padEnd(name)}  ${images.map((set, i) => set.id.padEnd(widths[i]!)).join('  ')}`.trimEnd(),
      ...models
        .slice(from, from + room)
        .map(({ id }, i) =>
          `${id.padEnd(name)}  ${cells[from + i]!.map((cell, at) => cell.padEnd(widths[at]!)).join('  ')}`.trimEnd(),
        ),
    ];
  }

  /** A sweep that is computed in parts has one cell: what is under way, else what is still to come, else its end. */
  #merged(place: string): State & { over: number; parts: number } {
    const parts = (this.#parts().get(place) ?? []).map((key) => this.#states.get(key) ?? WAITING);
    const of = (...wanted: State['state'][]) => parts.find(({ state }) => wanted.includes(state));
    const found =
      parts.find(({ state }) => !isOver(state) && state !== 'waiting') ??
      of('waiting') ??
      of('failed') ??
      of('done') ??
      parts[0];
    const over = parts.filter(({ state }) => isOver(state)).length;
    return { ...(found ?? WAITING), over, parts: parts.length };
  }

  /** The tasks of each sweep. */
  #parts(): ReadonlyMap<string, string[]> {
    if (this.#tasks) return this.#tasks;
    this.#tasks = new Map();
    for (const place of this.#places) {
      const [sweep = ''] = /^[^/\\]*[/\\][^/\\]*/.exec(place) ?? [];
      const key = sweep.replace('\\', '/');
      const known = this.#tasks.get(key);
      if (known) known.push(place);
      else this.#tasks.set(key, [place]);
    }
    return this.#tasks;
  }

  #cell(place: string): string {
    const { over, parts, ...state } = this.#merged(place);
    const words = cellOf(state);
    return over > 0 && over < parts ? `${words} (${over} of ${parts} parts)` : words;
  }

  #overall(): string {
    const states = [...this.#states.values()];
    const finished = states.filter(({ state }) => isOver(state)).length;
    const computed = states.filter(({ began }) => began !== null);
    const work = computed.reduce((sum, { state, share }) => sum + (isOver(state) ? 1 : share), 0);
    const seconds = (Date.now() - this.#started) / 1000;
    const left = this.#places.length - states.filter(({ state }) => state === 'skipped').length - work;
    const failed = states.filter(({ state }) => state === 'failed').length;
    const eta = work >= 0.05 && left > 0 ? `  about ${duration((left * seconds) / work)} left` : '';
    return `${finished} of ${this.#places.length} sweeps  ${bar(finished / Math.max(1, this.#places.length))}${failed > 0 ? `  ${failed} failed` : ''}${eta}`;
  }
}

function cellOf({ state, share, words, stopped }: State): string {
  if (state === 'waiting') return '·';
  if (state === 'skipped') return 'there already';
  if (state === 'opening') return 'opening';
  if (state === 'opened') return 'next';
  if (state === 'fetching') return `fetching ${percent(share)}`;
  if (state === 'checking') return `checking ${percent(share)}`;
  if (state === 'started') return `${bar(share)} ${percent(share)} ${words}`.trimEnd();
  return state === 'done' && stopped > 0 ? `done, ${stopped} stopped` : state;
}

const WAITING: State = { state: 'waiting', share: 0, began: null, words: '', stopped: 0 };
const isOver = (state: State['state']) => state === 'done' || state === 'skipped' || state === 'failed';
const percent = (share: number) => `${Math.floor(100 * share)} %`;

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * BAR);
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
}
