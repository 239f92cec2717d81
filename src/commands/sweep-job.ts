/** One sweep as a command does it: open, compute with progress, write the report, print the table. */
import { join } from 'node:path';
import { openImages } from '../images/index.js';
import { modelInput } from '../model/input.js';
import type { ResampleFilter } from '../native/addon.js';
import { computingOn } from '../native/cards.js';
import { baselineLine, layerTable } from '../report/table.js';
import { parseResets } from '../resets/parse.js';
import { files } from '../run/run.js';
import type { SweepOptions } from '../sweep/settings.js';
import { type SweepResult, sweep } from '../sweep/sweep.js';
import { Interrupted, interruptible } from './interrupt.js';
import { type ModelChoice, openModel } from './open-model.js';
import { ProgressLine } from './progress.js';
import { writeReport } from './report.js';

/** What a sweep command was asked; what is left out has the library's default. */
export interface SweepJob extends ModelChoice, Optional<Pick<SweepOptions, Forwarded>> {
  data: string;
  out: string;
  /** Words of `--reset`. */
  resets?: readonly string[] | undefined;
  images?: number | 'all' | undefined;
  dataSeed?: number | undefined;
  labels?: string | undefined;
  mean?: readonly number[] | undefined;
  std?: readonly number[] | undefined;
  resize?: number | undefined;
  crop?: number | undefined;
  interpolation?: ResampleFilter | undefined;
  /** A folder, `auto` or `off`; default `auto`. */
  cache?: string | undefined;
  cacheBytes?: number | undefined;
  skipBadImages?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

const forwarded = [
  'layers',
  'exclude',
  'init',
  'norm',
  'trials',
  'seed',
  'confidence',
  'batch',
  'threads',
  'engine',
  'device',
  'precision',
] as const;
type Forwarded = (typeof forwarded)[number];
type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/** @throws Interrupted after Ctrl-C, CritmapError for everything that is wrong with the input */
export async function runSweep(job: SweepJob): Promise<void> {
  const { out } = job;
  // Before anything is read.
  computingOn(job);
  const line = new ProgressLine(job.quiet ?? false);
  try {
    const result = await interruptible((signal) =>
      compute(job, line, signal).catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${out}`);
      }),
    );
    line.clear();
    await writeReport([result.summary], join(out, files.report));
    print(result, job);
  } finally {
    line.clear();
  }
}

async function compute(job: SweepJob, line: ProgressLine, signal: AbortSignal): Promise<SweepResult> {
  const model = await openModel(job);
  const resets = await parseResets(job.resets ?? ['random'], model, job);
  const images = await openImages(job.data, {
    ...modelInput(model, job.crop),
    ...given({ images: job.images, dataSeed: job.dataSeed, labels: job.labels }),
    ...given({ mean: job.mean, std: job.std, resize: job.resize, crop: job.crop }),
    ...given({ interpolation: job.interpolation }),
    ...given({ cache: cacheOf(job), cacheBytes: job.cacheBytes, skipBadImages: job.skipBadImages }),
    onProgress: (done, total) => line.checked(done, total),
    signal,
  });
  try {
    return await sweep(model, images, {
      out: job.out,
      resets,
      ...given(Object.fromEntries(forwarded.map((option) => [option, job[option]]))),
      signal,
      onProgress: (progress) => line.update(progress),
      onWarning: (message) => line.note(`warning: ${message}`),
    });
  } finally {
    await images.close();
  }
}

/** On unless it is off: all images are decoded before the first is used, and then need not be a second time. */
const cacheOf = ({ cache = 'auto' }: SweepJob) => (cache === 'off' ? undefined : cache);

function print({ summary }: SweepResult, { json, out }: SweepJob): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const color = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const width = process.stdout.columns;
  process.stdout.write(`${baselineLine(summary)}\n\n`);
  process.stdout.write(`${layerTable(summary, { color, ...(width ? { width } : {}) })}\n\n`);
  process.stdout.write(`results  ${out}\nreport   ${join(out, files.report)}\n`);
}

/** The entries that have a value: an option that was not given keeps its default further down. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
