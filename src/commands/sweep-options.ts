/** What `critmap sweep` takes: a model, images, and the options of both tables; and the job that they ask for. */
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { imageOptions } from '../images/options.js';
import { resetOption, sweepOptions } from '../sweep/options.js';
import { modelOptions } from './model-options.js';
import { text } from './option-values.js';
import type { SweepJob } from './sweep-job.js';
import { givenOf, withTable } from './table-options.js';

const results = 'Results:';

const dataOption = {
  data: {
    ...text('data'),
    demandOption: true,
    group: 'Images:',
    describe:
      "Images: a folder, tar shards ('s-{000..009}.tar'), Parquet files, a .npz or .npy file, or synthetic:N",
  },
} as const satisfies Record<string, Options>;

const resetOptions = {
  // Repeated, not separated by commas: a file's name may have one.
  reset: {
    type: 'string',
    array: true,
    nargs: 1,
    default: resetOption.def.defaultValue as string[],
    group: 'What is measured:',
    describe: resetOption.meta()?.description,
  },
} as const satisfies Record<string, Options>;

const resultOptions = {
  out: { ...text('out'), demandOption: true, group: results, describe: 'Directory for the results' },
  name: { ...text('name'), group: results, describe: "The model's name in results" },
  json: { type: 'boolean', default: false, group: results, describe: 'The summary as JSON on stdout' },
  quiet: { type: 'boolean', default: false, group: results, describe: 'No progress' },
} as const satisfies Record<string, Options>;

export function withSweepOptions(yargs: Argv<object>) {
  yargs
    .positional('model', { type: 'string', describe: 'An ONNX file' })
    .options(modelOptions)
    .group(Object.keys(modelOptions), 'Model:')
    .options(dataOption);
  withTable(yargs, imageOptions);
  // Before the table's, under the same heading.
  yargs.options(resetOptions);
  withTable(yargs, sweepOptions);
  return yargs
    .options(resultOptions)
    .example('$0 sweep resnet50.onnx --data val/ --out runs/resnet50', 'all layers, 1000 images, 3 trials')
    .example("$0 sweep m.onnx --data val/ --layers 'layer4.*' --images all --out r", 'one stage, every image')
    .example(
      '$0 sweep --arch resnet50 --weights resnet50.pth --data val/ --out r',
      "a built-in architecture with a checkpoint's weights",
    )
    .example('$0 sweep m.onnx --data val/ --reset donor=init.pth --out r', 'rewind to another checkpoint');
}

type Own = InferredOptionTypes<
  typeof dataOption & typeof resetOptions & typeof resultOptions & typeof modelOptions
>;

/** @param argv - checked by the options above */
export function sweepJobOf(argv: Record<string, unknown>): SweepJob {
  const own = argv as unknown as Own & { model: string | undefined };
  return {
    ...own,
    allowPartial: own['allow-partial'],
    imageChoices: givenOf(imageOptions, argv),
    sweepChoices: givenOf(sweepOptions, argv),
    resets: own.reset,
  };
}
