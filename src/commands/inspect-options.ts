/** What `critmap inspect` takes: a model, images, or both. */
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { imageOptions } from '../images/options.js';
import { type OptionValues, withoutDefault } from '../options.js';
import { sweepOptions } from '../sweep/options.js';
import { modelOptions, withModel } from './model-options.js';
import { text } from './option-values.js';
import { resetOptions } from './reset-option.js';
import { kebab, withTable } from './table-options.js';

const images = 'Images:';
const plans = 'Plan:';

const ownOptions = {
  data: {
    ...text('data'),
    group: images,
    describe: 'Images to look at, in every form that sweep takes; a model is then optional',
  },
  preview: {
    ...text('preview'),
    group: images,
    describe: 'Write a PNG file of what the model will see of the first 48 images',
  },
  planOnly: {
    type: 'boolean',
    default: false,
    group: plans,
    describe: 'Print the plan of a sweep and nothing else of the model',
  },
  deviceMemory: {
    ...text('device-memory'),
    group: plans,
    describe: 'With --device cuda: the memory of the card to plan for, such as 8GB (default: what it has)',
  },
  json: { type: 'boolean', default: false, describe: 'Print as JSON' },
} as const satisfies Record<string, Options>;

const { images: count, dataSeed, labels, labelColumns, skipBadImages } = imageOptions;
const { resize, crop, interpolation } = imageOptions;
const sampled = {
  ...{ images: count, dataSeed, labels, labelColumns, skipBadImages },
  ...{ resize, crop, interpolation },
};

/** What decides how much a sweep of these images would compute. */
const { layers, exclude, group, imagesPerDraw, trials, threads } = sweepOptions;
const { include, splitQkv, norm, parts } = sweepOptions;
const chosen = { layers, exclude, group, include, splitQkv, norm, parts };
const ofDesign = { imagesPerDraw, trials, threads };
const costed = { ...chosen, ...ofDesign };

/** What a plan is for, whatever the images. */
const { device, precision, batch } = sweepOptions;
const planned = { device, precision, batch };

/** Without defaults: what is given is known from what is not. */
const imageTable = Object.fromEntries(
  Object.entries({ ...sampled, ...costed, ...planned }).map(([name, schema]) => [
    name,
    withoutDefault(schema),
  ]),
);

/** Options that say nothing without --data, and options that say nothing without a model. */
export const ofImages = [...Object.keys({ ...sampled, threads }).map(kebab), 'preview'];
/** Of images, and of a card's batches. */
export const ofDraws = Object.keys({ imagesPerDraw, trials }).map(kebab);
export const ofPlans = [...Object.keys(planned).map(kebab), 'device-memory'];
export const ofModels = [...Object.keys(modelOptions), ...Object.keys(costed).map(kebab), 'reset'];

export type InspectArguments = InferredOptionTypes<
  typeof ownOptions & typeof resetOptions & typeof modelOptions
> &
  OptionValues<typeof sampled & typeof costed & typeof planned> & {
    model: string | undefined;
    allowPartial?: boolean;
  };

export function withInspectOptions(yargs: Argv<object>) {
  withModel(yargs).options(ownOptions).options(resetOptions);
  return withTable(yargs, imageTable)
    .example('$0 inspect resnet50.onnx', 'layers and plan')
    .example('$0 inspect resnet50.onnx --group block', 'which layers a sweep would reset together')
    .example('$0 inspect resnet50.onnx --group block --reset skip', 'which blocks can be skipped')
    .example('$0 inspect resnet50.onnx --device cuda --device-memory 8GB --plan-only', 'a plan for a card')
    .example('$0 inspect resnet50.onnx --weights resnet50.pth', 'which tensor becomes which parameter')
    .example('$0 inspect resnet50.onnx --data val/ --preview seen.png', 'images as that model sees them');
}
