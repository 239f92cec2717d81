/** `critmap sweep`: the main job's options. */
import type { Argv, CommandModule, InferredOptionTypes, Options } from 'yargs';
import { parseCacheSize } from '../images/cache/location.js';
import { RESAMPLE_FILTERS } from '../native/addon.js';
import { precisions } from '../native/cards.js';
import { type InitScheme, initSchemes } from '../resets/initialisers.js';
import { resetForms } from '../resets/reset.js';
import { modelOptions } from './model-options.js';
import { count, globs, imageCount, numbers, share, text } from './option-values.js';

export const sweepOptions = {
  data: {
    ...text('data'),
    demandOption: true,
    describe:
      "Images: a folder, tar shards ('s-{000..009}.tar'), Parquet files, a .npz or .npy file, or synthetic:N",
  },
  out: { ...text('out'), demandOption: true, describe: 'Directory for the results' },
  images: {
    type: 'string',
    default: '1000',
    requiresArg: true,
    coerce: imageCount,
    describe: 'How many images, or all',
  },
  'data-seed': { ...count('data-seed', 0), default: 0, describe: 'Which sample of the images' },
  labels: {
    ...text('labels'),
    describe: 'folder, none, column:NAME (Parquet) or a file of classes; default: what the source has',
  },
  cache: {
    ...text('cache'),
    default: 'auto',
    describe: "Folder for decoded images, or off; auto is the user's cache folder",
  },
  'cache-size': {
    ...text('cache-size'),
    default: '10GB',
    describe: 'Most that the cache may hold; what was used longest ago goes first',
  },
  'skip-bad-images': {
    type: 'boolean',
    default: false,
    describe: 'Leave out images that cannot be decoded, and record them',
  },
  batch: { ...count('batch', 1), describe: 'Images per inference call; default by their size, 8 at 224' },
  threads: { ...count('threads', 1), describe: 'Threads; default all cores' },
  device: {
    ...text('device'),
    default: 'auto',
    describe: 'auto (cpu), cpu, cuda, cuda:N, cuda:0,1 or cuda:all (critmap devices lists them)',
  },
  precision: {
    choices: precisions,
    default: 'fp32' as const,
    describe: "Of a card's products: exact float32, TF32 or float16",
  },
  layers: { ...globs('layers'), describe: 'Only layers that match these globs' },
  exclude: { ...globs('exclude'), describe: 'No layers that match these globs' },
  reset: {
    type: 'string',
    array: true,
    nargs: 1,
    default: ['random'],
    describe: `What is done to a layer: ${resetForms}`,
  },
  init: {
    choices: initSchemes,
    default: 'auto' as InitScheme,
    describe: 'What random resets draw from',
  },
  norm: {
    choices: ['keep', 'reset'] as const,
    default: 'keep' as const,
    describe: "A convolution's BatchNorm",
  },
  trials: { ...count('trials', 1), default: 3, describe: 'Draws of a random reset' },
  seed: { ...count('seed', 0), default: 0, describe: 'Of the draws' },
  confidence: { ...share('confidence'), default: 0.95, describe: 'Of the intervals' },
  engine: {
    choices: ['fast', 'reference'] as const,
    default: 'fast' as const,
    describe: 'fast, or the published algorithm run the slow way',
  },
  mean: { ...numbers('mean'), describe: "Per channel, of pixel / 255; default the model's, else ImageNet's" },
  std: { ...numbers('std'), describe: 'Per channel, of pixel / 255' },
  resize: { ...count('resize', 1), describe: 'Short side before the crop, in pixels' },
  crop: { ...count('crop', 1), describe: 'Centre crop, in pixels; also the size of a model that takes any' },
  interpolation: {
    choices: RESAMPLE_FILTERS,
    describe: "How images are resized; default the model's, else bilinear",
  },
  name: { ...text('name'), describe: "The model's name in results" },
  json: { type: 'boolean', default: false, describe: 'The summary as JSON on stdout' },
  quiet: { type: 'boolean', default: false, describe: 'No progress' },
} as const satisfies Record<string, Options>;

type SweepArguments = InferredOptionTypes<typeof sweepOptions & typeof modelOptions> & {
  model: string | undefined;
};

export const sweepCommand: CommandModule<object, SweepArguments> = {
  command: 'sweep [model]',
  describe: 'Reset every layer in turn and measure how far the predictions move',
  builder: (yargs) =>
    (yargs as Argv<object>)
      .positional('model', { type: 'string', describe: 'An ONNX file' })
      .options(modelOptions)
      .options(sweepOptions)
      .group(Object.keys(modelOptions), 'Model:')
      .group(
        [
          ...['data', 'images', 'data-seed', 'labels', 'skip-bad-images'],
          ...['mean', 'std', 'resize', 'crop', 'interpolation'],
        ],
        'Images:',
      )
      .group(['cache', 'cache-size'], 'Decoded images:')
      .group(
        ['layers', 'exclude', 'reset', 'init', 'norm', 'trials', 'seed', 'confidence'],
        'What is measured:',
      )
      .group(['engine', 'device', 'precision', 'batch', 'threads'], 'Computing:')
      .group(['out', 'name', 'json', 'quiet'], 'Results:')
      .example('$0 sweep resnet50.onnx --data val/ --out runs/resnet50', 'all layers, 1000 images, 3 trials')
      .example(
        "$0 sweep m.onnx --data val/ --layers 'layer4.*' --images all --out r",
        'one stage, every image',
      )
      .example(
        '$0 sweep --arch resnet50 --weights resnet50.pth --data val/ --out r',
        "a built-in architecture with a checkpoint's weights",
      )
      .example('$0 sweep m.onnx --data val/ --reset donor=init.pth --out r', 'rewind to another checkpoint'),
  handler: async (argv) => {
    const { runSweep } = await import('./sweep-job.js');
    await runSweep({
      ...argv,
      allowPartial: argv['allow-partial'],
      dataSeed: argv['data-seed'],
      resets: argv.reset,
      cacheBytes: parseCacheSize(argv['cache-size']),
      skipBadImages: argv['skip-bad-images'],
    });
  },
};
