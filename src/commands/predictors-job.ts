/** Predictors as a command does it: open what they need, print the table or the JSON, write the files. */
import { join, resolve } from 'node:path';
import { CritmapError } from '../errors.js';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { replaceFile } from '../files/replace.js';
import { type ImageSet, openImages, parseCacheSize } from '../images/index.js';
import { imageOptions } from '../images/options.js';
import { predictorsCsv } from '../measures/predictor-csv.js';
import { type PredictorOptions, type Predictors, predictors } from '../measures/predictors.js';
import { modelInput } from '../model/input.js';
import type { Model } from '../model/model.js';
import { defaultOf, type OptionValues } from '../options.js';
import { type ModelChoice, openModel } from '../request/open-model.js';
import { loadDonor } from '../resets/parse.js';
import { readRun } from '../run/read-run.js';
import { interruptible } from './interrupt.js';
import { ProgressLine } from './progress.js';
import { kebab } from './table-options.js';
import { json, print, shown } from './terminal.js';
import { textTable } from './text-table.js';

export interface PredictorsJob extends ModelChoice {
  donor?: string | undefined;
  run?: string | undefined;
  reset?: string | undefined;
  data?: string | undefined;
  imageChoices: OptionValues<typeof imageOptions>;
  layerChoices: Pick<PredictorOptions, 'layers' | 'exclude' | 'group'>;
  threads?: number | undefined;
  out?: string | undefined;
  json: boolean;
}

/** Enough for a mean of cosines to two digits. */
const IMAGES = 256;

/** @throws CritmapError for everything that is wrong with the input */
export async function runPredictors(job: PredictorsJob): Promise<void> {
  const listener = new ProgressLine(job.json);
  const found = await interruptible(async (signal) => {
    // The run first: it is read in no time, and may be missing.
    const run = job.run === undefined ? undefined : await readRun(job.run);
    const fetching = { signal, onFetch: listener.fetched.bind(listener) };
    const model = await openModel(job, fetching);
    const ends = { input: model.io.input, output: model.io.output };
    const donor =
      job.donor === undefined ? undefined : await loadDonor(job.donor, model, { ...ends, ...fetching });
    const images = await imagesOf(job, model, listener, signal);
    try {
      return await predictors(model, {
        ...job.layerChoices,
        ...given({ images, donor, run, reset: job.reset, threads: job.threads }),
        signal,
      });
    } finally {
      await images?.close();
      listener.clear();
    }
  });
  if (job.out !== undefined) await write(job.out, found);
  print(job.json ? json(found) : `${shown(textOf(found)).join('\n')}\n`);
  if (job.out !== undefined && !job.json)
    print(`\nresults  ${shown(join(job.out, 'predictors.csv'))}, predictors.json\n`);
}

async function imagesOf(
  { data, imageChoices }: PredictorsJob,
  model: Model,
  listener: ProgressLine,
  signal: AbortSignal,
): Promise<ImageSet | undefined> {
  if (data === undefined) {
    const asked = Object.entries(imageOptions).find(([name, schema]) => {
      const value = imageChoices[name as keyof typeof imageOptions];
      return value !== undefined && (name === 'images' || value !== defaultOf(schema));
    });
    if (asked) throw new CritmapError('ERR_OPTION', `--${kebab(asked[0])} goes with --data SRC`);
    return undefined;
  }
  const { cache = 'auto', cacheSize, ...choices } = imageChoices;
  return openImages(data, {
    ...modelInput(model, choices.crop),
    images: IMAGES,
    ...given({ ...choices, cacheBytes: cacheSize === undefined ? undefined : parseCacheSize(cacheSize) }),
    ...(cache !== 'off' && { cache }),
    onProgress: (done, total) => listener.checked(done, total),
    signal,
  });
}

/** The entries that have a value. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

async function write(out: string, found: Predictors): Promise<void> {
  await makeDirectory(resolve(out)).catch((error) => Promise.reject(cannotWrite(out, error)));
  await replaceFile(join(out, 'predictors.csv'), predictorsCsv(found));
  await replaceFile(join(out, 'predictors.json'), `${JSON.stringify(found, null, 1)}\n`);
}

const NAMES = {
  blockInfluence: 'block influence',
  relativeChange: 'relative change',
  stableRank: 'stable rank',
  parameterShare: 'parameters, %',
  macShare: 'MACs, %',
} as const;

function textOf({ rows, correlations, reset, data, donor }: Predictors): string[] {
  const number = (value: number | null, digits = 3) =>
    value === null ? '–' : String(Number(value.toPrecision(digits))).replaceAll('-', '−');
  const names = Object.keys(NAMES) as (keyof typeof NAMES)[];
  const head = ['layer', ...names.map((name) => NAMES[name]), ...(reset === null ? [] : ['criticality, %'])];
  const body = rows.map((row) => [
    row.layer,
    ...names.map((name) => number(row[name])),
    ...(reset === null ? [] : [number(row.criticality)]),
  ]);
  const lacking = [
    ...(data ? [] : [`for ${NAMES.blockInfluence} give images, --data SRC`]),
    ...(donor ? [] : [`for ${NAMES.relativeChange} the weights that training began with, --donor FILE`]),
  ];
  const hints = lacking.length > 0 ? ['', lacking.join('; ')] : [];
  const table = textTable(head, body, (column) => column === 0);
  if (reset === null) return [...table, ...hints];
  const lines = correlations.map(({ predictor, rows, rho, low, high, p }) => [
    NAMES[predictor],
    String(rows),
    number(rho, 2),
    low === null || high === null ? '–' : `${number(low, 2)} to ${number(high, 2)}`,
    number(p, 2),
  ]);
  const columns = ['predictor', 'rows', 'Spearman', '95 % interval', 'p'];
  return [
    ...table,
    '',
    `with criticality (${reset}), over rows:`,
    ...textTable(columns, lines, (column) => column === 0),
    ...hints,
  ];
}
