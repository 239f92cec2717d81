/** `critmap inspect`: what a model takes and gives, its layers, and how a sweep would go about it. */
import type { Argv, CommandModule, InferredOptionTypes, Options } from 'yargs';
import { CritmapError } from '../errors.js';
import type { Model } from '../model.js';
import { modelInput } from '../model-input.js';
import { RESAMPLE_FILTERS } from '../native.js';
import { inspectData } from './inspect-data.js';
import { type PlanSummary, planText, summarisePlan } from './inspect-plan.js';
import { modelOptions, openModel } from './model-options.js';
import { count, imageCount, text as textValue } from './option-values.js';
import { ProgressLine } from './progress.js';
import { weightsText } from './weights-options.js';

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
    const model = await openModel(choice);
    const plan = await summarisePlan(model);
    process.stdout.write(
      argv.json ? `${JSON.stringify({ ...describe(model), plan }, null, 1)}\n` : text(model, plan),
    );
  },
};

/** An option that nothing would read is a mistake. */
function refuse(argv: object, options: readonly string[], companion: string): void {
  const given = new Map<string, unknown>(Object.entries(argv));
  const alone = options.find((option) => given.get(option) !== undefined);
  if (alone !== undefined) throw new CritmapError('ERR_OPTION', `--${alone} goes with ${companion}`);
}

/** Everything `inspect` knows, as plain JSON. */
export function describe(model: Model) {
  const { name, file, io, layers, sha256, weights } = model;
  const { normalization } = modelInput(model);
  return {
    name,
    path: file.path,
    sha256,
    producer: [file.proto.producerName, file.proto.producerVersion].filter(Boolean).join(' '),
    opset: Number(file.proto.opsetImport.find(({ domain }) => !domain)?.version ?? 0),
    input: {
      name: io.input,
      batch: io.batch,
      channels: io.channels,
      height: io.height,
      width: io.width,
      channelsLast: file.ends?.channelsLast ?? false,
      mean: normalization?.mean ?? null,
      std: normalization?.std ?? null,
    },
    // One number an image is two classes of critmap's making.
    output: { name: file.ends?.single ?? io.output, classes: io.classes },
    parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
    ...(weights && { weights }),
    warnings: model.warnings,
    layers: layers.map((layer) => ({
      name: layer.name,
      op: layer.op,
      shape: layer.weight.shape,
      parameters: layer.parameters,
      bias: layer.bias !== null,
      norm: layer.norm !== null,
      groups: layer.groups,
      fanIn: layer.fanIn,
      fanOut: layer.fanOut,
      uses: layer.uses,
      weight: layer.weight.tensor,
    })),
  };
}

function text(model: Model, plan: PlanSummary): string {
  const about = describe(model);
  const { input, output } = about;
  const any = (size: number | null) => size ?? 'any';
  const rows = about.layers.map((layer) => [
    layer.name,
    layer.op,
    layer.shape.join('x'),
    layer.parameters.toLocaleString('en'),
    [
      layer.bias && 'bias',
      layer.norm && 'BatchNorm',
      layer.groups > 1 && `${layer.groups} groups`,
      layer.uses > 1 && `used ${layer.uses} times`,
    ]
      .filter(Boolean)
      .join(', '),
  ]);
  const table = [['layer', 'op', 'shape', 'parameters', ''], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        column === 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [
    `${about.name}  opset ${about.opset}${about.producer ? `, made by ${about.producer}` : ''}`,
    `input   ${input.name}: ${any(input.batch)} x ${input.channels} x ${any(input.height)} x ${any(input.width)}` +
      (input.channelsLast ? ", transposed from the file's channels last" : '') +
      (input.mean ? `, mean ${input.mean.join(',')}, std ${input.std?.join(',')}` : ''),
    `output  ${output.name}: ${output.classes ?? 'any number of'} classes${model.file.ends?.single === undefined ? '' : ', of one number'}`,
    `layers  ${about.layers.length}, with ${about.parameters.toLocaleString('en')} parameters`,
    '',
    ...lines,
    '',
    ...(model.weights ? [...weightsText(model.weights), ''] : []),
    ...planText(plan),
    ...about.warnings.map((warning) => `\nwarning: ${warning}`),
    '',
  ].join('\n');
}
