/** Module criticality as a command does it: open, compute with progress, print the table or the JSON. */

import type { ModuleCriticality } from '../measures/module-criticality.js';
import { moduleCriticality, moduleFiles } from '../measures/module-criticality.js';
import type { GridValues, SharedValues } from '../measures/options.js';
import { computingOn } from '../native/cards.js';
import { openSweep, type SweepWords } from '../request/open-sweep.js';
import type { Reset } from '../resets/kinds.js';
import { stepsOf } from './image-steps.js';
import { Interrupted, interruptible } from './interrupt.js';
import { ProgressLine } from './progress.js';
import { json, print, shown } from './terminal.js';
import { textTable } from './text-table.js';

export interface ModuleJob extends Omit<SweepWords, 'sweepChoices' | 'resets' | 'initFrom'> {
  /** File of the initial weights. */
  donor: string;
  sweepChoices: SharedValues;
  gridChoices: GridValues;
  out: string;
  force: boolean;
  json: boolean;
  quiet: boolean;
  /** The words that ask for it, without the program's. */
  command: readonly string[];
}

/** @throws Interrupted after Ctrl-C, CritmapError for everything that is wrong with the input */
export async function runModuleCriticality(job: ModuleJob): Promise<void> {
  const listener = new ProgressLine(job.quiet || job.json);
  // Before anything is read.
  computingOn(job.sweepChoices);
  try {
    const result = await interruptible((signal) =>
      compute(job, listener, signal).catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${job.out}`);
      }),
    );
    listener.clear();
    print(job.json ? json(result) : `${shown(textOf(result, job.out)).join('\n')}\n`);
  } finally {
    listener.clear();
  }
}

async function compute(
  job: ModuleJob,
  listener: ProgressLine,
  signal: AbortSignal,
): Promise<ModuleCriticality> {
  const { donor: file, out, force, command, gridChoices, sweepChoices, quiet } = job;
  // The donor's words are a reset's: it is loaded as one.
  const { model, images, options } = await openSweep(
    { ...job, resets: [`donor=${file}`] },
    signal,
    (done, total) => listener.checked(done, total),
    undefined,
    (progress) => listener.fetched(progress),
  );
  const { donor } = options.resets![0] as Extract<Reset, { kind: 'interpolate' }>;
  try {
    if (!quiet && !job.json) {
      listener.note(`images: ${stepsOf(images).join(', ')}`);
      if (images.labelsUnderstood !== null) listener.note(`labels: ${images.labelsUnderstood}`);
    }
    return await moduleCriticality(model, images, {
      ...{ donor, ...gridChoices, ...sweepChoices, out, force, command, signal },
      onProgress: (progress) => listener.update(progress),
      onWarning: (message) => listener.warn(message),
    });
  } finally {
    await images.close();
  }
}

const UNITS = { error: '% error', loss: 'nats of loss', agreement: '% that change class' } as const;

function textOf(result: ModuleCriticality, out: string): string[] {
  const { criterion, threshold, untouched, modules, sum, draws, data, model, donor, alphas } = result;
  const number = (value: number | null) => (value === null ? '–' : String(Number(value.toPrecision(4))));
  const most = `${number(untouched + threshold)} ${UNITS[criterion]}`;
  const rows = modules.map(({ module, distance, alpha, sigma, loss, value }) => [
    module,
    ...[distance, alpha, sigma, loss, value].map(number),
  ]);
  const unknown = modules.filter(({ value }) => value === null).length;
  const head = ['module', '‖θᶠ−θ⁰‖', 'α', 'σ', UNITS[criterion], 'criticality'];
  return [
    `${model.name}, from ${donor.file}: ${data.images} images, ${draws} draws of the noise, up to ${most} (untouched ${number(untouched)})`,
    '',
    ...textTable(head, rows, (column) => column === 0),
    '',
    sum === null
      ? `no sum: ${unknown} of ${modules.length} ${modules.length === 1 ? 'module fits' : 'modules fit'} nowhere on the grid; add smaller --sigmas${alphas.includes(1) ? '' : ', and 1 to --alphas'}`
      : `network criticality ${number(sum)}, the sum over ${modules.length} ${modules.length === 1 ? 'module' : 'modules'}`,
    '',
    `results  ${out}/${moduleFiles.table}, ${moduleFiles.grid}, ${moduleFiles.result}`,
  ];
}
