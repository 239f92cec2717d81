/** `critmap devices`: what can compute here, and why not the rest. */
import { availableParallelism, cpus } from 'node:os';
import type { CommandModule } from 'yargs';
import { CritmapError } from '../errors.js';
import { type CudaInventory, native } from '../native.js';
import { onnxruntimeVersion } from '../version.js';

export interface Device {
  id: string;
  available: boolean;
  /** Processor or card. */
  name: string;
  /** What it computes with, or why it cannot. */
  detail: string;
  /** Of a card: its memory, and CUDA's versions of card, driver and addon. */
  memoryBytes?: number;
  computeCapability?: string;
  driver?: string | null;
  runtime?: string | null;
}

export function devices(): Device[] {
  const { path } = native().info();
  return [
    {
      id: 'cpu',
      available: true,
      name: cpus()[0]?.model.trim() || process.arch,
      detail: `${availableParallelism()} threads, ${path} code path, ONNX Runtime ${onnxruntimeVersion()}`,
    },
    ...cards(native().cuda()),
  ];
}

/** What CUDA finds, as devices; one that is not available where it finds none. */
export function cards({ devices, driver, runtime, reason }: CudaInventory): Device[] {
  if (devices.length === 0) {
    return [{ id: 'cuda', available: false, name: 'NVIDIA GPU', detail: reason ?? 'none was found' }];
  }
  return devices.map(({ name, memoryBytes, computeCapability }, i) => ({
    id: `cuda:${i}`,
    available: false,
    name,
    detail: `${(memoryBytes / 2 ** 30).toFixed(1)} GiB, compute capability ${computeCapability}, driver for CUDA ${driver}, built with CUDA ${runtime}; ${NO_ENGINE}`,
    memoryBytes,
    computeCapability,
    driver,
    runtime,
  }));
}

const NO_ENGINE = 'sweeps do not run on it in this version';

/** @throws CritmapError when a device that was asked for cannot compute; `auto` never fails */
export function requireDevice(device: string): void {
  if (device === 'auto' || device === 'cpu') return;
  if (!/^cuda(:(\d+|all)(,\d+)*)?$/.test(device)) {
    throw new CritmapError(
      'ERR_OPTION',
      `--device ${device}: there is no such device; give auto, cpu or cuda`,
    );
  }
  const found = native().cuda();
  const why = found.devices.length > 0 ? NO_ENGINE : found.reason;
  throw new CritmapError('ERR_NATIVE', `--device ${device}: ${why}. ${advice(found)}`);
}

/** What to do about it. */
export function advice({ compiled, devices }: CudaInventory): string {
  if (!compiled)
    return 'Install the CUDA toolkit and build again (npm run build:addon), or use --device cpu.';
  if (devices.length > 0) return 'Use --device cpu.';
  return "Install NVIDIA's driver on a machine with one of its GPUs, or use --device cpu.";
}

export const devicesCommand: CommandModule<object, { json: boolean }> = {
  command: 'devices',
  describe: 'What can compute here, and why not the rest',
  builder: (yargs) => yargs.option('json', { type: 'boolean', default: false, describe: 'As JSON' }),
  handler: ({ json }) => {
    const found = devices();
    if (json) {
      process.stdout.write(`${JSON.stringify(found, null, 1)}\n`);
      return;
    }
    for (const { id, available, name, detail } of found) {
      process.stdout.write(`${id.padEnd(8)}${available ? 'yes' : 'no '}  ${name}: ${detail}\n`);
    }
  },
};
