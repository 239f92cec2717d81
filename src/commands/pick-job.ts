/** A pick as a command does it: the list to stdout, what it is of and what is not known to stderr. */
import { join } from 'node:path';
import { isStudy } from '../compare/from-study.js';
import { CritmapError, some } from '../errors.js';
import { type PickFormat, pickText } from '../pick/formats.js';
import { type LayerPick, type Part, type PickMetric, pickLayers } from '../pick/pick.js';
import { compact } from '../report/numbers.js';
import { isRandomLabel } from '../resets/kinds.js';
import { readRun } from '../run/read-run.js';
import { readPlan } from '../run/study-plan.js';
import { print, shown } from './terminal.js';

export interface PickArguments {
  run: string;
  below: number | undefined;
  above: number | undefined;
  metric: PickMetric;
  reset: string | undefined;
  format: PickFormat;
  model: string | undefined;
  imageSet: string | undefined;
}

/** @throws CritmapError (ERR_OPTION) for a wrong option, (ERR_RUN, ERR_STUDY) for a directory that cannot be read */
export async function pick(argv: PickArguments): Promise<void> {
  const { below, above, metric, reset, format } = argv;
  const run = await readRun(await directoryOf(argv));
  const found = pickLayers(run, { below, above, metric, reset });
  print(pickText(found, format));
  for (const line of wordsOf(found)) process.stderr.write(`${shown(line)}\n`);
}

/** A run's own, or that of one of a study's runs. */
async function directoryOf({ run, model, imageSet }: PickArguments): Promise<string> {
  if (!isStudy(run)) {
    if (model === undefined && imageSet === undefined) return run;
    throw new CritmapError('ERR_OPTION', `--model and --image-set are of studies, and ${run} is none`);
  }
  const plan = await readPlan(run);
  const wanted = (option: string, ids: readonly string[], id: string | undefined) => {
    if (id !== undefined && ids.includes(id)) return id;
    throw new CritmapError(
      'ERR_OPTION',
      `${id === undefined ? `${run} is a study: say which with ${option}` : `${run} has no ${option} ${id}`}; it has ${some(ids)}`,
    );
  };
  const sets = plan.images.map(({ id }) => id);
  return join(
    run,
    wanted(
      '--model',
      plan.models.map(({ id }) => id),
      model,
    ),
    wanted('--image-set', sets, imageSet ?? sets[0]),
  );
}

function wordsOf(pick: LayerPick): string[] {
  const { layers, groups, swept, modelLayers, metric, below, above, unknown, parameters, macs } = pick;
  const row = groups ? 'group' : 'layer';
  const side = above === null ? `below ${below}` : `above ${above}`;
  const fewer = !groups && swept < modelLayers ? ` (the model has ${modelLayers})` : '';
  const single = layers.filter(
    ({ op = '', interval }) => interval === 'images' && isRandomLabel(pick.reset, op),
  ).length;
  const drawn = single > 0;
  return [
    `${layers.length} of ${count(swept, row)}${fewer} ${layers.length === 1 ? 'has' : 'have'} ${NOUNS[metric]} ${side} %: ` +
      `${share(parameters)} of the ${parameters.ofModel ? '' : 'swept '}layers' parameters, ` +
      (macs === null
        ? 'of the multiply-accumulates it is not known (an earlier critmap made the run, or the graph does not say)'
        : `${share(macs)} of the multiply-accumulates`),
    ...(unknown.length > 0
      ? [
          `${count(unknown.length, row)} ${unknown.length === 1 ? 'is' : 'are'} not known well enough: ${some(unknown)} (sweep with more images, or a --tolerance)`,
        ]
      : []),
    ...(drawn
      ? [
          `${count(single, 'interval')} ${single === 1 ? 'covers' : 'cover'} new images only, not new draws: a single draw was made`,
        ]
      : []),
  ];
}

const NOUNS = { criticality: 'a criticality', agreement: 'an agreement' } as const;

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;

const share = ({ picked, of, share }: Part) =>
  share === null ? '–' : `${(100 * share).toFixed(1)} % (${compact(picked)} of ${compact(of)})`;
