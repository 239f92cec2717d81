/** The model that a command's options name. */
import { buildModel } from '../architectures/build.js';
import { loadAnyModel, loadNetwork } from '../architectures/load-any.js';
import { CritmapError } from '../errors.js';
import type { FetchOptions } from '../fetch/options.js';
import { withWeights } from '../model/load.js';
import type { Model } from '../model/model.js';
import type { EndChoice } from '../onnx/passes/ends.js';

export interface ModelChoice extends EndChoice {
  /** An ONNX file, or a folder as the Hugging Face hub lays it out; or the address of either. */
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
 *   a file cannot be read or does not fit, ERR_FETCH when an address cannot be fetched
 */
export const openModel = (choice: ModelChoice, fetching: FetchOptions = {}): Promise<Model> =>
  open(choice, fetching, loadAnyModel);

/** The same without weights that its folder has, for its layers and what they cost. */
export const openNetwork = (choice: ModelChoice, fetching: FetchOptions = {}): Promise<Model> =>
  open(choice, fetching, loadNetwork);

async function open(choice: ModelChoice, fetching: FetchOptions, load: typeof loadAnyModel): Promise<Model> {
  const { model, arch, weights, allowPartial = false, rename, name, classes, channels, size } = choice;
  const { input, output } = choice;
  const idle = allowPartial ? 'allow-partial' : rename?.length ? 'rename' : undefined;
  if (idle !== undefined && !weights?.length) {
    throw new CritmapError('ERR_OPTION', `--${idle} goes with --weights FILE`);
  }
  if (model !== undefined && arch !== undefined) {
    throw new CritmapError('ERR_OPTION', `both ${model} and --arch ${arch} are given; give one of them`);
  }
  const named = name === undefined ? {} : { name };
  const given = (values: object) => Object.entries(values).filter(([, value]) => value !== undefined);
  const overlaid = { ...named, allowPartial, ...(rename === undefined ? {} : { rename }), ...fetching };
  if (model !== undefined) {
    if (classes !== undefined) {
      throw new CritmapError('ERR_OPTION', `--classes goes with --arch; the classes of ${model} are its own`);
    }
    const own = Object.fromEntries(given({ input, output, channels, size, weights }));
    return load(model, { ...overlaid, ...own });
  }
  if (arch === undefined) {
    throw new CritmapError(
      'ERR_OPTION',
      'no model is given; name an ONNX file, or a built-in architecture with --arch NAME (critmap architectures lists them)',
    );
  }
  const [end] = given({ input, output })[0] ?? [];
  if (end !== undefined) {
    throw new CritmapError('ERR_OPTION', `--${end} goes with a file; ${arch} has one input and one output`);
  }
  const shape = Object.fromEntries(given({ classes, channels, size }));
  const built = await buildModel(arch, { ...named, ...shape });
  return weights?.length ? withWeights(built, weights, overlaid) : built;
}
