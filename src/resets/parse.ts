/** The words of `--reset`, parsed. */
import { CritmapError } from '../errors.js';
import { type FetchOptions, fetchOptions } from '../fetch/options.js';
import { loadFile, withFiles } from '../model/load.js';
import { type Model, randomWarning } from '../model/model.js';
import { addressesOf } from '../model/place.js';
import type { EndChoice } from '../onnx/passes/ends.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { isCheckpoint } from '../weights/checkpoint.js';
import { expandResets } from './expand.js';
import type { Reset } from './kinds.js';
import { NO_STRING, readReset } from './words.js';

/**
 * Parses one reset and loads its donor.
 *
 * - `random`: new draws from an initialisation scheme
 * - `zero`, `constant=V`: every element that value
 * - `shuffle`: the layer's own weights in random order
 * - `noise=SIGMA`: plus Gaussian noise of SIGMA times the parameter's root mean square
 * - `donor=FILE`: the weights of another model of the same architecture; see {@link parseResets} for checkpoints
 * - `interpolate=FILE@ALPHA`: (1 - ALPHA) x donor + ALPHA x own; `interpolate=FILE@ALPHA~SIGMA`: plus Gaussian noise of
 *   standard deviation SIGMA
 *
 * - `quantize=int8`, `int4` or `fp8`: rounded to that many numbers, symmetric, with a scale per output channel
 * - `prune=FRACTION`: the smallest weights set to zero; `prune-channels=FRACTION`: whole output channels
 * - `lowrank=FRACTION`: the nearest matrix, output channels x rest, of that part of the full rank
 * - `skip`, `mean`: no weights change; what a layer or block gives is what it was given, or its mean per channel
 *
 * `quantize`, `prune`, `prune-channels` and `lowrank` leave biases as they are. FILE may also be an address, as
 * `loadModel` takes it.
 *
 * @throws CritmapError: ERR_OPTION for an unknown form, a bad number or a donor that is a checkpoint; ERR_WEIGHTS
 *   when the donor does not exist or is known to be neither a model nor a checkpoint; ERR_MODEL when it is no ONNX
 *   model that critmap reads; ERR_FETCH when it cannot be fetched
 */
export function parseReset(text: string): Promise<Reset> {
  return parse(text, (file) => loadDonor(file, undefined, {}));
}

/** Of models that are donors; see `refuseMisuse`. */
export const endOptions = {
  ...{ input: 'text', output: 'text', ...fetchOptions },
} as const satisfies OptionKinds<EndChoice & FetchOptions>;

/**
 * Parses resets of one model. Donors may then be checkpoints as `loadModel` takes them, `FILE#PLACE` too, which say
 * nothing of layers: they become the model's own graph with the checkpoint's weights. They are renamed as the model's
 * own checkpoints were. One text may stand for several resets: `prune=0.1,0.3`, `donor=step-*.pth`,
 * `interpolate=step-*.pth@0,0.5,1`. A donor that several name is loaded once.
 *
 * @param options the model's images and logits, where they were chosen by name: its donors' have the same names
 * @throws CritmapError as {@link parseReset}, and ERR_WEIGHTS for a checkpoint that is damaged or does not fit
 */
export async function parseResets(
  texts: readonly string[],
  model: Model,
  options: EndChoice & FetchOptions = {},
): Promise<Reset[]> {
  refuseMisuse('parseResets', options, endOptions);
  const { input, output, onFetch, signal } = options;
  // Of another list `map` may give anything: of a typed array numbers in the place of promises.
  if (!Array.isArray(texts)) throw new TypeError('parseResets takes a list of resets');
  if (!texts.every((text) => typeof text === 'string')) throw new TypeError(NO_STRING);
  const ends = { input, output, onFetch, signal };
  const donors = new Map<string, Promise<Model>>();
  const donorOf = (file: string) => {
    const donor = donors.get(file) ?? loadDonor(file, model, ends);
    donors.set(file, donor);
    return donor;
  };
  return Promise.all((await expandResets(texts)).map((text) => parse(text, donorOf)));
}

async function parse(text: string, donorOf: (file: string) => Promise<Model>): Promise<Reset> {
  const read = readReset(text);
  if (!('file' in read)) return read;
  const { file, ...reset } = read;
  return { ...reset, donor: await donorOf(file) };
}

/**
 * A donor from `FILE` or `FILE#PLACE`, a folder or an address; one from a checkpoint lacks the layers that the
 * checkpoint has not.
 */
export async function loadDonor(
  text: string,
  model: Model | undefined,
  { input, output, ...fetching }: EndChoice & FetchOptions,
): Promise<Model> {
  const { addresses, warnings } = await addressesOf([text], fetching);
  const [first, second] = addresses;
  const { path, place, source } = first!;
  if (second === undefined && (/\.onnx$/i.test(path) || !(await isCheckpoint(path)))) {
    const found = { file: first!, ...(place !== undefined && { place }), warnings };
    return loadFile(found, text, { input, output });
  }
  if (!model) {
    throw new CritmapError(
      'ERR_OPTION',
      `${text} is a checkpoint, which does not say what its layers are: give it to parseResets with the model`,
    );
  }
  const renames = new Set(model.weights?.files.flatMap((file) => file.renames ?? []));
  const choices = { allowPartial: true, rename: [...renames], idleRenames: true };
  const donor = await withFiles(model, addresses, choices, warnings);
  // What the model has from checkpoints of its own comes first.
  const own = model.weights?.files.length ?? 0;
  const given = new Set(donor.weights?.mapping.filter(({ file }) => file >= own).map(({ tensor }) => tensor));
  const stale = new Set([...model.warnings, ...randomWarning(donor)]);
  const { source: _, ...file } = donor.file;
  return {
    ...donor,
    file: { ...file, path: text, ...(second === undefined && source !== undefined && { source }) },
    // Only its own: the model's warnings have been given, and what the checkpoint lacks is not reset.
    warnings: donor.warnings.filter((warning) => !stale.has(warning)),
    given,
    layers: donor.layers.filter(
      ({ weight, bias }) => given.has(weight.tensor) && (!bias || given.has(bias.tensor)),
    ),
  };
}
