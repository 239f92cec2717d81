/** The model that a command's options name. */
import { buildModel } from '../architectures/build.js';
import { CritmapError } from '../errors.js';
import { loadModel, withWeights } from '../model/load.js';
import type { Model } from '../model/model.js';
import type { EndChoice } from '../onnx/passes/ends.js';

export interface ModelChoice extends EndChoice {
  /** An ONNX file. */
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
  const model = await openGraph(choice);
  if (!weights?.length) return model;
  return withWeights(model, weights, {
    allowPartial,
    ...(rename === undefined ? {} : { rename }),
    ...(name === undefined ? {} : { name }),
  });
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
