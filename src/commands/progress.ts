/**
 * Progress on stderr: one line that is rewritten on a terminal, a plain line now and then in a log.
 */
import type { FetchProgress } from '../fetch/options.js';
import { bytesText } from '../images/cache/location.js';
import { printable } from '../report/text.js';
import type { Progress } from '../sweep/progress.js';

const TTY_MS = 100;
const LOG_MS = 10_000;
/** After so long what is left can be told. */
export const MEASURED_MS = 1000;

export class ProgressLine {
  #last = 0;
  #shown = false;
  #costTold = false;
  #fetch: { what: string; from: number; start: number } | undefined;

  constructor(
    private readonly quiet: boolean,
    private readonly stream: NodeJS.WriteStream = process.stderr,
  ) {}

  update(progress: Progress): void {
    const { elapsedMs, expected, done, resumed, total } = progress;
    const isMeasured = elapsedMs >= MEASURED_MS && done > resumed && expected !== null;
    if (!this.#costTold && !this.quiet && (isMeasured || done >= total)) {
      this.#costTold = true;
      if (done < total) this.note(costText(progress));
    }
    this.#show(progress, () => describe(progress));
  }

  /** Before a sweep's own progress: how many images have been checked. A quick check is not worth a line. */
  checked(done: number, total: number): void {
    if (done === 1) this.#last = Date.now();
    if (done < total)
      this.#show({ done, total }, () => `checking images  ${bar(done / total)}  ${done} of ${total}`);
  }

  /** Of a file that is fetched. */
  fetched({ what, done, total }: FetchProgress): void {
    const now = Date.now();
    if (this.#fetch?.what !== what) this.#fetch = { what, from: done, start: now };
    const rate = (1000 * (done - this.#fetch.from)) / Math.max(1, now - this.#fetch.start);
    const speed = rate > 0 ? `${bytesText(rate)}/s` : '';
    const parts =
      total === null
        ? [bytesText(done), speed]
        : [
            bar(done / Math.max(1, total)),
            `${bytesText(done)} of ${bytesText(total)}`,
            speed,
            done < total && rate > 0 ? `${duration((total - done) / rate)} left` : '',
          ];
    this.#show({ done, total: total ?? Number.POSITIVE_INFINITY }, () =>
      ['fetching', what, ...parts].filter(Boolean).join('  '),
    );
  }

  #show({ done, total }: { done: number; total: number }, describe: () => string): void {
    if (this.quiet) return;
    const now = Date.now();
    const finished = done >= total;
    if (now - this.#last < (this.stream.isTTY ? TTY_MS : LOG_MS) && !finished) return;
    this.#last = now;
    const text = printable(describe());
    if (this.stream.isTTY) {
      const width = Math.max(20, (this.stream.columns ?? 80) - 1);
      this.stream.write(`\r\x1b[2K${text.slice(0, width)}`);
      this.#shown = true;
    } else {
      this.stream.write(`${text}\n`);
    }
  }

  /** A line above the progress. */
  note(text: string): void {
    this.clear();
    this.stream.write(`${printable(text)}\n`);
  }

  warn(message: string): void {
    this.note(`warning: ${message}`);
  }

  clear(): void {
    if (this.#shown) this.stream.write('\r\x1b[2K');
    this.#shown = false;
  }
}

/** `37 %  ███░  1,234 layer-images/s  2 min left  layer2.0.conv1` */
function describe(progress: Progress): string {
  const { done, total, elapsedMs, layer } = progress;
  const { share, rate, left } = forecast(progress);
  return [
    `${Math.floor(100 * share)} %`.padStart(5),
    bar(share),
    `${Math.round(rate).toLocaleString('en')} layer-images/s`,
    done < total ? `${duration(left)} left` : `${duration(elapsedMs / 1000)} in all`,
    layer,
  ]
    .join('  ')
    .trimEnd();
}

/** Of a sweep whose layers may stop, by what is expected of them. */
export function forecast({ done, total, expected, resumed, elapsedMs }: Progress) {
  const all = done >= total ? total : (expected ?? total);
  const rate = (done - resumed) / Math.max(1e-3, elapsedMs / 1000);
  const left = rate > 0 ? (all - done) / rate : Number.POSITIVE_INFINITY;
  return { share: all > 0 ? done / all : 1, rate, left };
}

/** What a sweep will take, when its first batches or a pilot have shown it. */
function costText(progress: Progress): string {
  const { total, expected, resumed, elapsedMs } = progress;
  const number = (units: number) => Math.round(units).toLocaleString('en');
  const units = expected ?? total;
  const time = duration(forecast(progress).left + elapsedMs / 1000);
  const passes =
    units < total ? `about ${number(units)} of at most ${number(total)} passes` : `${number(total)} passes`;
  const earlier = resumed > 0 ? `, ${number(resumed)} of them from before` : '';
  return `${passes}${earlier}, about ${time} in all`;
}

function bar(share: number): string {
  const width = 20;
  const full = Math.round(share * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/** Seconds in words: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
