/** Which cards a sweep computes on, and how. */
import { CritmapError } from '../errors.js';
import { type CudaInventory, native } from './addon.js';
import type { CudaLayout, CudnnSearch } from './engine.js';

/**
 * What products are computed in: float32; float32 with the 10 bits of fraction of TF32; or float16, which besides
 * halves activations. Weights are reset, logits compared and metrics summed in float32 or more.
 */
export const precisions = ['fp32', 'tf32', 'fp16'] as const;
/** What products are computed in; a processor has `fp32` only. */
export type Precision = (typeof precisions)[number];

/**
 * Where and in what a sweep computes.
 * @throws CritmapError as {@link cardsOf}, and (ERR_OPTION) for a precision that is none or not the processor's
 */
export function computingOn({ device = 'auto', precision = 'fp32' }: Computing) {
  const cards = cardsOf(device);
  if (!precisions.includes(precision)) {
    throw new CritmapError(
      'ERR_OPTION',
      `precision must be one of ${precisions.join(', ')}, got ${precision}`,
    );
  }
  if (cards === undefined && precision !== 'fp32') {
    throw new CritmapError(
      'ERR_OPTION',
      `--precision ${precision} is for cards, the processor computes in fp32; leave it out, or give --device cuda`,
    );
  }
  return { cards, precision };
}

interface Computing {
  device?: string | undefined;
  precision?: Precision | undefined;
}

/**
 * CUDA's numbers of the cards that `device` (`auto`, `cpu`, `cuda`, `cuda:N`, `cuda:N,M` or `cuda:all`) names, in its
 * order; undefined for the processor. `auto` is the processor as long as sweeps on a card have not been verified on
 * one.
 *
 * @throws CritmapError (ERR_OPTION) for other words and a card that is named twice, (ERR_NATIVE) when there is no such
 *   card
 */
export function cardsOf(device: string): readonly number[] | undefined {
  if (device === 'auto' || device === 'cpu') return undefined;
  const [, list] = cardWords.exec(device) ?? refuse(device);
  const cards = list === 'all' ? list : (list ?? '0').split(',').map(Number);
  const twice = cards !== 'all' && cards.find((card, i) => cards.indexOf(card) !== i);
  if (typeof twice === 'number') {
    throw new CritmapError('ERR_OPTION', `--device ${device} names card ${twice} twice; name each card once`);
  }
  const found = native().cuda();
  const count = found.devices.length;
  if (cards === 'all' && count > 0) return Array.from({ length: count }, (_, card) => card);
  const missing = cards === 'all' ? undefined : cards.find((card) => card >= count);
  if (cards !== 'all' && missing === undefined) return cards;
  const there = count === 1 ? 'there is only card 0' : `they count from 0 to ${count - 1}`;
  const why = count > 0 ? `there is no card ${missing}, ${there}` : found.reason;
  throw new CritmapError('ERR_NATIVE', `--device ${device}: ${why}. ${advice(found)}`);
}

const cardWords = /^cuda(?::(all|\d{1,4}(?:,\d{1,4})*))?$/;

/**
 * Whether a device is a card, or cards, whether there are such or not.
 * @throws CritmapError (ERR_OPTION) for a word that is no device
 */
export function isCardName(device: string): boolean {
  if (device === 'auto' || device === 'cpu') return false;
  return cardWords.test(device) || refuse(device);
}

function refuse(device: string): never {
  throw new CritmapError(
    'ERR_OPTION',
    `--device ${device}: there is no such device; give auto, cpu, cuda, cuda:N, several as cuda:0,1, or cuda:all`,
  );
}

/** The cards as `--device` names them: `cuda:0,1`. */
export function deviceName(cards: readonly number[] | undefined): string {
  return cards === undefined ? 'cpu' : `cuda:${cards.join()}`;
}

/** What to do where a card cannot be had. */
export function advice({ compiled, devices }: Pick<CudaInventory, 'compiled' | 'devices'>): string {
  if (!compiled)
    return 'Install the CUDA toolkit and build again (npm run build:addon), or use --device cpu.';
  if (devices.length > 0) return 'Give another one, or use --device cpu.';
  return "Install NVIDIA's driver on a machine with one of its GPUs, or use --device cpu.";
}

const searches: readonly CudnnSearch[] = ['heuristic', 'default', 'exhaustive'];

/**
 * How cuDNN's convolutions are chosen: what the environment variable `CRITMAP_CUDNN_SEARCH` says, else `heuristic`,
 * which gives the same choice, and so the same bits, every time. `exhaustive` times all of them before it chooses:
 * two runs, or two cards of one run, may then differ in the last bits.
 *
 * @throws CritmapError (ERR_OPTION) for another word
 */
export const cudnnSearch = (): CudnnSearch => chosen('CRITMAP_CUDNN_SEARCH', searches);

const layouts: readonly CudaLayout[] = ['nchw', 'nhwc'];

/**
 * Whether cards compute with channels first or last: what the environment variable `CRITMAP_CUDA_LAYOUT` says, else
 * `nchw`. `nhwc` is of the sessions only whose convolutions all have constant weights; the reset layer's is not.
 *
 * @throws CritmapError (ERR_OPTION) for another word
 */
export const cudaLayout = (): CudaLayout => chosen('CRITMAP_CUDA_LAYOUT', layouts);

/** The word of an environment variable, else the first that there is. */
function chosen<Word extends string>(variable: string, words: readonly Word[]): Word {
  const word = process.env[variable] || words[0];
  const found = words.find((one) => one === word);
  if (found) return found;
  throw new CritmapError(
    'ERR_OPTION',
    `${variable}=${word} is not ${words.join(', ')}; unset it or give one of these`,
  );
}
