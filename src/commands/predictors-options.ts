/** What `critmap predictors` takes: a model, and what some of the numbers need besides. */
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { imageOptions } from '../images/options.js';
import { metaOf, withoutDefault } from '../options.js';
import { sweepOptions } from '../sweep/options.js';
import { type modelOptions, withModel } from './model-options.js';
import { text } from './option-values.js';
import type { PredictorsJob } from './predictors-job.js';
import { givenOf, withTable } from './table-options.js';

const predicted = 'Predictors:';

const own = {
  donor: {
    ...text('donor'),
    group: predicted,
    describe:
      'For relative change: the weights that training began with, a checkpoint or an ONNX file of the same architecture',
  },
  run: {
    ...text('run'),
    group: predicted,
    describe: 'For criticality and rank correlations: a run of this model; its layers or groups are the rows',
  },
  reset: { ...text('reset'), group: predicted, describe: "Which of the run's resets (default: the first)" },
  data: {
    ...text('data'),
    group: 'Images:',
    describe: 'For block influence: where the images are, as in critmap sweep',
  },
} as const satisfies Record<string, Options>;

const results = {
  out: { ...text('out'), group: 'Results:', describe: 'A directory for predictors.csv and predictors.json' },
  json: { type: 'boolean', default: false, group: 'Results:', describe: 'Print the result as JSON' },
} as const satisfies Record<string, Options>;

const { images, ...others } = imageOptions;
/** Without the default of a sweep. */
const imageTable = {
  images: withoutDefault(images).meta({
    ...metaOf('images', images),
    description: 'How many images to use, or all (default: 256)',
  }),
  ...others,
};

const { layers, exclude, group, threads } = sweepOptions;
/** Without the default that a run would refuse. */
const layerTable = {
  layers: withoutDefault(layers),
  exclude: withoutDefault(exclude),
  group: withoutDefault(group),
};

const computing = { threads };

export function withPredictorOptions(yargs: Argv<object>) {
  withModel(yargs).options(own);
  withTable(yargs, layerTable);
  withTable(yargs, imageTable);
  withTable(yargs, computing);
  return yargs
    .options(results)
    .example(
      '$0 predictors resnet50.onnx --data val/ --run runs/resnet50',
      'beside the criticality of a finished run, with rank correlations',
    )
    .example('$0 predictors vit.onnx --data val/ --group block', 'block influence of every block')
    .example('$0 predictors m.onnx --donor init.pth --json', 'from the weights alone');
}

type Own = InferredOptionTypes<typeof own & typeof results & typeof modelOptions>;

/** @param argv - checked by the options above */
export function predictorsJobOf(argv: Readonly<Record<string, unknown>>): PredictorsJob {
  const given = argv as unknown as Own & { model: string | undefined };
  return {
    ...given,
    allowPartial: given['allow-partial'],
    imageChoices: givenOf(imageTable, argv) as PredictorsJob['imageChoices'],
    threads: givenOf(computing, argv).threads,
    layerChoices: givenOf(layerTable, argv) as PredictorsJob['layerChoices'],
  };
}
