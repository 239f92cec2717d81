/** One sweep as a command does it: open, compute with progress, write the report, print the table. */
import { join } from 'node:path';
import { checkInit } from '../initialisation/initials.js';
import { computingOn } from '../native/cards.js';
import { baselineLine, layerTable } from '../report/table.js';
import { openSweep, type SweepWords } from '../request/open-sweep.js';
import { files } from '../run/run.js';
import { type Computer, computeHere, type SweepResult, sweepWith } from '../sweep/sweep.js';
import { Interrupted, interruptible } from './interrupt.js';
import { ProgressLine } from './progress.js';
import { writeReport } from './report.js';
import { json, print, shown } from './terminal.js';

/** What a sweep command was asked; what is left out has the library's default. */
export interface SweepJob extends SweepWords {
  out: string;
  shard?: { index: number; of: number } | undefined;
  force?: boolean | undefined;
  /** The words that ask for it, without the program's. */
  command?: readonly string[] | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/** @throws Interrupted after Ctrl-C, CritmapError for everything that is wrong with the input */
export async function runSweep(
  job: SweepJob,
  computerOf: (line: ProgressLine) => Computer = () => computeHere,
): Promise<void> {
  const { out } = job;
  // Before anything is read.
  computingOn(job.sweepChoices);
  checkInit(job.sweepChoices.init ?? 'auto');
  const line = new ProgressLine(job.quiet ?? false);
  try {
    const result = await interruptible((signal) =>
      compute(job, line, signal, computerOf(line)).catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${out}`);
      }),
    );
    line.clear();
    if (job.shard) {
      printShard(job.shard, result, out);
      return;
    }
    await writeReport([result.summary], join(out, files.report));
    printResult(result, job);
  } finally {
    line.clear();
  }
}

async function compute(
  job: SweepJob,
  line: ProgressLine,
  signal: AbortSignal,
  computer: Computer,
): Promise<SweepResult> {
  const { model, images, options } = await openSweep(
    job,
    signal,
    (done, total) => line.checked(done, total),
    undefined,
    (progress) => line.fetched(progress),
  );
  try {
    if (images.labelsUnderstood !== null) line.note(`labels: ${images.labelsUnderstood}`);
    return await sweepWith(computer, model, images, {
      ...options,
      out: job.out,
      ...given({ shard: job.shard, force: job.force, command: job.command }),
      onProgress: (progress) => line.update(progress),
      onWarning: (message) => line.note(`warning: ${message}`),
    });
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

export function printResult(
  { summary }: Pick<SweepResult, 'summary'>,
  { json: asJson, out }: Pick<SweepJob, 'json' | 'out'>,
): void {
  if (asJson) {
    print(json(summary));
    return;
  }
  const color = process.stdout.isTTY === true && !process.env.NO_COLOR;
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
  const most = Math.max(0, ...draws);
  return most <= FEW_DRAWS ? most : 0;
}

/** The entries that have a value: an option that was not given keeps its default further down. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
