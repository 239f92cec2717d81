/** The model that a command's options name. */
import { buildModel } from '../architectures/build.js';
import { isFolder, readHubFolder, weightsIn } from '../architectures/hub-folder.js';
import { CritmapError } from '../errors.js';
import { loadModel, withWeights } from '../model/load.js';
import type { Model } from '../model/model.js';
import type { EndChoice } from '../onnx/passes/ends.js';

export interface ModelChoice extends EndChoice {
  /** An ONNX file, or a folder as the Hugging Face hub lays it out. */
  model?: string | undefined;
  arch?: string | undefined;
  classes?: number | undefined;
  channels?: number | undefined;
  size?: number | undefined;
  name?: string | undefined;
  /** Checkpoints to take the weights from. */
  weights?: readonly string[] | undefined;
  allowPartial?: boolean | undefined;
  /** Other names for their tensors, each `REGEX=REPLACEMENT`. */
  rename?: readonly string[] | undefined;
}

/**
 * @throws CritmapError: ERR_OPTION unless exactly one of MODEL and --arch is given, ERR_MODEL or ERR_WEIGHTS when
 *   a file cannot be read or does not fit
 */
export async function openModel(choice: ModelChoice): Promise<Model> {
  const { weights, allowPartial = false, rename, name } = choice;
  const idle = allowPartial ? 'allow-partial' : rename?.length ? 'rename' : undefined;
  if (idle !== undefined && !weights?.length) {
    throw new CritmapError('ERR_OPTION', `--${idle} goes with --weights FILE`);
  }
  const folder = choice.model !== undefined && (await isFolder(choice.model)) ? choice.model : undefined;
  const model = folder === undefined ? await openGraph(choice) : await openHubFolder(folder, choice);
  const places = weights?.length ? weights : folder === undefined ? [] : [folder];
  if (places.length === 0) return model;
  const files = await Promise.all(
    places.map(async (place) => ((await isFolder(place)) ? weightsIn(place) : place)),
  );
  return withWeights(model, files, {
    allowPartial,
    ...(rename === undefined ? {} : { rename }),
    // The folder's, where its weights are called as all are.
    ...(name !== undefined ? { name } : folder !== undefined ? { name: model.name } : {}),
  });
}

/** The network of a folder as the hub lays it out, without its weights. */
async function openHubFolder(folder: string, choice: ModelChoice): Promise<Model> {
  const { name, size, ...others } = choice;
  for (const option of ['arch', 'classes', 'channels', 'input', 'output'] as const) {
    if (others[option] === undefined) continue;
    throw new CritmapError('ERR_OPTION', `--${option} does not go with ${folder}, whose config.json says it`);
  }
  const { architecture, options, warnings } = await readHubFolder(folder);
  const model = await buildModel(architecture, {
    ...options,
    ...(name !== undefined && { name }),
    ...(size !== undefined && { size }),
  });
  return { ...model, warnings: [...model.warnings, ...warnings] };
}

async function openGraph(choice: ModelChoice): Promise<Model> {
  const { model, arch, name, classes, channels, size, input, output } = choice;
  const named = name === undefined ? {} : { name };
  const given = (values: object) => Object.entries(values).filter(([, value]) => value !== undefined);
  const shape = given({ classes, channels, size });
  if (model !== undefined && arch !== undefined) {
    throw new CritmapError('ERR_OPTION', `both ${model} and --arch ${arch} are given; give one of them`);
  }
  const [end] = given({ input, output })[0] ?? [];
  if (arch !== undefined && end !== undefined) {
    throw new CritmapError('ERR_OPTION', `--${end} goes with a file; ${arch} has one input and one output`);
  }
  if (arch !== undefined) return buildModel(arch, { ...named, ...Object.fromEntries(shape) });
  if (model === undefined) {
    throw new CritmapError(
      'ERR_OPTION',
      'no model is given; name an ONNX file, or a built-in architecture with --arch NAME (critmap architectures lists them)',
    );
  }
  if (classes !== undefined) {
    throw new CritmapError('ERR_OPTION', `--classes goes with --arch; the classes of ${model} are its own`);
  }
  return loadModel(model, { ...named, input, output, channels, size });
}
