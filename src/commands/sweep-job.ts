/** One sweep as a command does it: open, compute with progress, write the report, print the table or the events. */
import { join } from 'node:path';
import type { FetchProgress } from '../fetch/options.js';
import { TraceFile } from '../files/trace-file.js';
import { checkInit } from '../initialisation/initials.js';
import { computingOn } from '../native/cards.js';
import { baselineLine, layerTable } from '../report/table.js';
import { openSweep, type SweepWords } from '../request/open-sweep.js';
import { files } from '../run/run.js';
import { largest } from '../statistics/extremes.js';
import { lanes, observed, type SweepObserver } from '../sweep/observer.js';
import { type Computer, computeHere, type SweepResult, sweepWith } from '../sweep/sweep.js';
import { EventStream } from './event-stream.js';
import { stepsOf } from './image-steps.js';
import { Interrupted, interruptible } from './interrupt.js';
import { ProgressLine } from './progress.js';
import { endOf, observerOf } from './sweep-observer.js';
import { colourDepth, print, shown } from './terminal.js';
import { writeReport } from './write-report.js';

/** What a sweep command was asked; what is left out has the library's default. */
export interface SweepJob extends SweepWords {
  out: string;
  shard?: { index: number; of: number } | undefined;
  force?: boolean | undefined;
  /** The words that ask for it, without the program's. */
  command?: readonly string[] | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  /** A file for spans of time. */
  trace?: string | undefined;
}

/** Whoever is told how a sweep goes: a person by lines, a program by events. */
export type Listener = Pick<ProgressLine, 'update' | 'checked' | 'fetched' | 'note' | 'warn' | 'clear'>;

/** @throws Interrupted after Ctrl-C, CritmapError for everything that is wrong with the input */
export async function runSweep(
  job: SweepJob,
  computerOf: (listener: Listener) => Computer = () => computeHere,
): Promise<void> {
  const { out, json, quiet = false, shard } = job;
  const events = json ? new EventStream(quiet) : null;
  const listener = events ?? new ProgressLine(quiet);
  let trace: TraceFile | null = null;
  try {
    // Before anything is read.
    computingOn(job.sweepChoices);
    checkInit(job.sweepChoices.init ?? 'auto');
    trace = await traceOf(job, listener);
    const observer = observerOf(job, events, trace);
    const result = await interruptible((signal) =>
      compute(job, listener, observer, signal, computerOf(listener)).catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${out}`);
      }),
    );
    listener.clear();
    if (!shard) {
      const report = join(out, files.report);
      await observed(observer, 'results', 'write report', () => writeReport([result.summary], report));
    }
    if (events) {
      // Those of a shard alone could be taken for the sweep's.
      events.send({ event: 'done', out, shard: shard ?? null, summary: shard ? null : result.summary });
    } else if (shard) {
      printShard(shard, result, out);
    } else {
      printResult(result, out);
    }
  } catch (error) {
    events?.send(endOf(error));
    throw error;
  } finally {
    listener.clear();
    trace?.close();
  }
}

const traceOf = async ({ trace }: SweepJob, listener: Listener): Promise<TraceFile | null> =>
  trace === undefined
    ? null
    : TraceFile.open(trace, lanes, ({ message }) => listener.warn(`${message}; the trace ends there`));

async function compute(
  job: SweepJob,
  listener: Listener,
  observer: SweepObserver,
  signal: AbortSignal,
  computer: Computer,
): Promise<SweepResult> {
  const { out, shard, force, command } = job;
  const onChecked = (done: number, total: number) => listener.checked(done, total);
  const onFetch = (progress: FetchProgress) => listener.fetched(progress);
  const { model, images, options } = await observed(observer, 'planning', 'open model and images', () =>
    openSweep(job, signal, onChecked, undefined, onFetch),
  );
  const started: SweepObserver['started'] = (what) => {
    observer.started?.(what);
    if (!job.quiet) listener.note(`images: ${stepsOf(images).join(', ')}`);
    if (images.labelsUnderstood !== null) listener.note(`labels: ${images.labelsUnderstood}`);
  };
  try {
    return await sweepWith(
      computer,
      model,
      images,
      {
        ...options,
        out,
        ...given({ shard, force, command }),
        onProgress: (progress) => listener.update(progress),
        onWarning: (message) => listener.warn(message),
      },
      { ...observer, started },
    );
  } finally {
    await images.close();
  }
}

function printShard(
  { index, of }: NonNullable<SweepJob['shard']>,
  { summary }: SweepResult,
  out: string,
): void {
  const layers = new Set(summary.layers.map(({ layer }) => layer)).size;
  print(`shard ${index} of ${of} is done: ${layers} ${layers === 1 ? 'layer' : 'layers'}, ${shown(out)}\n`);
  print('critmap merge SHARD... --out DIR puts shards together\n');
}

export function printResult({ summary }: Pick<SweepResult, 'summary'>, out: string): void {
  const color = colourDepth() > 1;
  const width = process.stdout.columns;
  print(`${baselineLine(summary)}\n\n`);
  print(`${layerTable(summary, { color, ...(width ? { width } : {}) })}\n\n`);
  const few = fewDraws(summary);
  if (few > 0) {
    print(
      `${few} draws cannot tell much of others, hence the wide intervals. Without --trials every 8 images\nhave a new draw, which tells more with fewer passes.\n\n`,
    );
  }
  print(`results  ${shown(out)}\nreport   ${shown(join(out, files.report))}\n`);
}

/** With so few, most of a crossed interval's width is that of Student's t. */
const FEW_DRAWS = 5;

/** Draws that have seen the same images, where they are too few to tell of others; else 0. */
function fewDraws({ layers }: SweepResult['summary']): number {
  const draws = layers.flatMap((layer) => (layer.criticality.interval === 'crossed' ? [layer.draws] : []));
  const most = largest(draws, 0);
  return most <= FEW_DRAWS ? most : 0;
}

/** The entries that have a value: an option that was not given keeps its default further down. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
