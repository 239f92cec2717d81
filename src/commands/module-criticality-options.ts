/** What `critmap module-criticality` takes: a model, its initial weights, images, a grid, and options of a sweep. */
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { imageOptions } from '../images/options.js';
import { gridOptions, sharedOptions } from '../measures/options.js';
import { type modelOptions, withModel } from './model-options.js';
import type { ModuleJob } from './module-criticality-job.js';
import { text } from './option-values.js';
import { results, runOptions } from './run-options.js';
import { givenOf, withTable } from './table-options.js';

const own = {
  donor: {
    ...text('donor'),
    demandOption: true,
    group: 'Module criticality:',
    describe: 'The weights that training began with: a checkpoint, or an ONNX file of the same architecture',
  },
  data: {
    ...text('data'),
    demandOption: true,
    group: 'Images:',
    describe: 'Where the images are, as in critmap sweep; the definition is over those of the training',
  },
} as const satisfies Record<string, Options>;

const resultOptions = {
  out: {
    ...text('out'),
    demandOption: true,
    group: results,
    describe: 'Directory for the results; what was stopped goes on there',
  },
  name: runOptions.name,
  force: runOptions.force,
  json: { type: 'boolean', default: false, group: results, describe: 'Print the result as JSON' },
  quiet: runOptions.quiet,
} as const satisfies Record<string, Options>;

export function withModuleOptions(yargs: Argv<object>) {
  withModel(yargs).options(own);
  withTable(yargs, gridOptions);
  withTable(yargs, imageOptions);
  withTable(yargs, sharedOptions);
  return yargs
    .options(resultOptions)
    .example(
      '$0 module-criticality trained.onnx --donor init.pth --data train/ --out runs/modules',
      'a grid of 11 x 13 points for every layer',
    )
    .example(
      '$0 module-criticality t.onnx --donor i.onnx --data v/ --alphas 0,0.5,1 --sigmas 0.01,0.1 --out r',
      'a coarser grid',
    );
}

type Own = InferredOptionTypes<typeof own & typeof resultOptions & typeof modelOptions>;

/** @param argv - checked by the options above */
export function moduleJobOf(argv: Readonly<Record<string, unknown>>): Omit<ModuleJob, 'command'> {
  const given = argv as unknown as Own & { model: string | undefined };
  return {
    ...given,
    allowPartial: given['allow-partial'],
    imageChoices: givenOf(imageOptions, argv),
    sweepChoices: givenOf(sharedOptions, argv),
    gridChoices: givenOf(gridOptions, argv),
  };
}
