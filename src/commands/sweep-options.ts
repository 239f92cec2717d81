/** What `critmap sweep` takes: a model, images, and the options of both tables; and the job that they ask for. */
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { imageOptions } from '../images/options.js';
import { metaOf, withoutDefault } from '../options.js';
import { sampleOf } from '../request/sample-size.js';
import { expandResets } from '../resets/expand.js';
import { sweepOptions } from '../sweep/options.js';
import { type modelOptions, withModel } from './model-options.js';
import { shardValue, text } from './option-values.js';
import { resetOptions, usualResets } from './reset-option.js';
import { results, runOptions } from './run-options.js';
import type { SweepJob } from './sweep-job.js';
import { givenOf, withTable } from './table-options.js';

const dataOption = {
  data: {
    ...text('data'),
    demandOption: true,
    group: 'Images:',
    describe:
      "Where the images are: a folder, tar shards ('s-{000..009}.tar'), Parquet files, a .npz or .npy file; or synthetic:N",
  },
} as const satisfies Record<string, Options>;

const drawnOptions = {
  ...resetOptions,
  'init-from': {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    group: 'What is measured:',
    describe: "Fresh models ('fresh-*.safetensors') whose weights are the draws of a random reset",
  },
} as const satisfies Record<string, Options>;

const resultOptions = {
  out: {
    ...text('out'),
    demandOption: true,
    group: results,
    describe: 'Directory for the results; a sweep that was stopped goes on there',
  },
  name: runOptions.name,
  shard: {
    ...shardValue(),
    group: results,
    describe: 'Compute the I-th of N parts, I/N, in a directory of its own; critmap merge puts them together',
  },
  force: runOptions.force,
  json: {
    type: 'boolean',
    default: false,
    group: results,
    describe: 'Print events as JSON, one a line, instead of progress and table; the last one has the summary',
  },
  trace: {
    ...text('trace'),
    group: results,
    describe: 'A file for what took how long and when, as Chrome trace events (ui.perfetto.dev opens it)',
  },
  quiet: runOptions.quiet,
} as const satisfies Record<string, Options>;

/** Without the default of images, which is the design's. */
const { images, ...others } = imageOptions;
const imageTable = {
  images: withoutDefault(images).meta({
    ...metaOf('images', images),
    description:
      'How many images to use, or all (default: 1000; with --published 10,000, with --tolerance all)',
  }),
  maxImages: withoutDefault(images).meta({
    ...metaOf('images', images),
    description: 'With --tolerance: how many images to use at most',
  }),
  ...others,
};

export function withSweepOptions(yargs: Argv<object>) {
  withModel(yargs).options(dataOption);
  withTable(yargs, imageTable);
  // Before the table's, under the same heading.
  yargs.options(drawnOptions);
  withTable(yargs, sweepOptions);
  return yargs
    .options(resultOptions)
    .example(
      '$0 sweep resnet50.onnx --data val/ --out runs/resnet50',
      'every layer, 1000 images, a new draw for every 8',
    )
    .example("$0 sweep m.onnx --data val/ --layers 'layer4.*' --images all --out r", 'one stage, every image')
    .example(
      '$0 sweep --arch resnet50 --weights resnet50.pth --data val/ --out r',
      "a built-in architecture with a checkpoint's weights",
    )
    .example(
      '$0 sweep m.onnx --data val/ --reset donor=init.pth --out r',
      'every layer back to the weights of another checkpoint',
    );
}

type Own = InferredOptionTypes<
  typeof dataOption & typeof drawnOptions & typeof resultOptions & typeof modelOptions
>;

/** @param argv - checked by the options above */
export async function sweepJobOf(argv: Record<string, unknown>): Promise<SweepJob> {
  const own = argv as unknown as Own & { model: string | undefined };
  return {
    ...own,
    allowPartial: own['allow-partial'],
    imageChoices: { ...givenOf(imageOptions, argv), images: sampleOf(argv) },
    sweepChoices: givenOf(sweepOptions, argv),
    resets: await expandResets(own.reset ?? usualResets),
    initFrom: own['init-from'],
  };
}
