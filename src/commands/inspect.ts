/** `critmap inspect`: what a model takes and gives, its layers, and how a sweep would go about it. */
import type { Argv, CommandModule, InferredOptionTypes, Options } from 'yargs';
import { CritmapError } from '../errors.js';
import { RESAMPLE_FILTERS } from '../native/addon.js';
import { modelOptions } from './model-options.js';
import { count, imageCount, text as textValue } from './option-values.js';
import { ProgressLine } from './progress.js';

const inspectOptions = {
  data: { ...textValue('data'), describe: 'Images to look at, as for sweep; a model is then optional' },
  images: {
    type: 'string',
    requiresArg: true,
    coerce: imageCount,
    describe: 'Of --data: how many are decoded, or all; default 1000',
  },
  'data-seed': { ...count('data-seed', 0), describe: 'Which sample of the images; default 0' },
  labels: { ...textValue('labels'), describe: 'As for sweep' },
  resize: { ...count('resize', 1), describe: 'Short side before the crop, in pixels' },
  crop: { ...count('crop', 1), describe: 'Centre crop, in pixels; also the size of a model that takes any' },
  interpolation: { choices: RESAMPLE_FILTERS, describe: 'As for sweep' },
  preview: { ...textValue('preview'), describe: 'PNG file: what the model will see of the first 48 images' },
  json: { type: 'boolean', default: false, describe: 'As JSON' },
} as const satisfies Record<string, Options>;

/** Those that say nothing without --data. */
const imageOptions = ['images', 'data-seed', 'labels', 'resize', 'crop', 'interpolation', 'preview'] as const;

type InspectArguments = InferredOptionTypes<typeof inspectOptions & typeof modelOptions> & {
  model: string | undefined;
};

export const inspectCommand: CommandModule<object, InspectArguments> = {
  command: 'inspect [model]',
  describe: 'Layers, shapes and parameters of a model, and the plan of a sweep; or images',
  builder: (yargs) =>
    (yargs as Argv<object>)
      .positional('model', { type: 'string', describe: 'An ONNX file' })
      .options(modelOptions)
      .options(inspectOptions)
      .group(Object.keys(modelOptions), 'Model:')
      .group(['data', ...imageOptions], 'Images:')
      .example('$0 inspect resnet50.onnx', 'layers and plan')
      .example('$0 inspect resnet50.onnx --weights resnet50.pth', 'which tensor becomes which parameter')
      .example('$0 inspect resnet50.onnx --data val/ --preview seen.png', 'images as that model sees them'),
  handler: async (argv) => {
    const choice = { ...argv, allowPartial: argv['allow-partial'] };
    const isModelGiven = argv.model !== undefined || argv.arch !== undefined;
    if (argv.data !== undefined) {
      if (!isModelGiven) refuse(argv, Object.keys(modelOptions), 'a model (a file or --arch NAME)');
      const { inspectData } = await import('./inspect-data.js');
      await inspectData(
        { ...choice, data: argv.data, dataSeed: argv['data-seed'] },
        new ProgressLine(argv.json),
      );
      return;
    }
    refuse(argv, imageOptions, '--data SRC');
    if (!isModelGiven) {
      throw new CritmapError(
        'ERR_OPTION',
        'inspect takes a model (a file or --arch NAME), --data SRC or both',
      );
    }
    const { inspectModel } = await import('./inspect-model.js');
    await inspectModel(choice);
  },
};

/** An option that nothing would read is a mistake. */
function refuse(argv: object, options: readonly string[], companion: string): void {
  const given = new Map<string, unknown>(Object.entries(argv));
  const alone = options.find((option) => given.get(option) !== undefined);
  if (alone !== undefined) throw new CritmapError('ERR_OPTION', `--${alone} goes with ${companion}`);
}
