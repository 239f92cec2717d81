/** Which card a sweep computes on. */
import { CritmapError } from './errors.js';
import { type CudaInventory, native } from './native.js';

/**
 * CUDA's number of the card that `device` (`auto`, `cpu`, `cuda` or `cuda:N`) names; undefined for the processor.
 * `auto` is the processor as long as sweeps on a card have not been verified on one.
 *
 * @throws CritmapError (ERR_OPTION) for other words, (ERR_NATIVE) when there is no such card
 */
export function cardOf(device: string): number | undefined {
  if (device === 'auto' || device === 'cpu') return undefined;
  const [, number = '0'] = /^cuda(?::(\d{1,4}))?$/.exec(device) ?? [undefined, ''];
  if (number === '') {
    throw new CritmapError(
      'ERR_OPTION',
      `--device ${device}: there is no such device; give auto, cpu, cuda or cuda:N`,
    );
  }
  const found = native().cuda();
  const card = Number(number);
  if (card < found.devices.length) return card;
  const why =
    found.devices.length > 0
      ? `there is no such card, they count from 0 to ${found.devices.length - 1}`
      : found.reason;
  throw new CritmapError('ERR_NATIVE', `--device ${device}: ${why}. ${advice(found)}`);
}

/** What to do where a card cannot be had. */
export function advice({ compiled, devices }: Pick<CudaInventory, 'compiled' | 'devices'>): string {
  if (!compiled)
    return 'Install the CUDA toolkit and build again (npm run build:addon), or use --device cpu.';
  if (devices.length > 0) return 'Give another one, or use --device cpu.';
  return "Install NVIDIA's driver on a machine with one of its GPUs, or use --device cpu.";
}
