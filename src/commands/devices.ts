/** `critmap devices`: what can compute here, and why the rest cannot. */
import { cpus } from 'node:os';
import type { CommandModule } from 'yargs';
import { messageOf } from '../errors.js';
import { usableThreads } from '../machine.js';
import { type CudaInventory, native } from '../native/addon.js';
import { runtimeVersion } from '../native/runtime-version.js';
import { onnxruntimeVersion } from '../version.js';
import { json, print, shown } from './terminal.js';

export interface Device {
  id: string;
  available: boolean;
  /** Processor or card. */
  name: string;
  /** What it computes with, or why it cannot. Whether ONNX Runtime can use a card shows when a sweep begins. */
  detail: string;
  /** For a card: its memory, and CUDA's versions of card, driver and addon. */
  memoryBytes?: number;
  /** Of it, what nobody uses now; null where CUDA does not say. */
  freeBytes?: number | null;
  computeCapability?: string;
  driver?: string | null;
  runtime?: string | null;
}

export async function devices(): Promise<Device[]> {
  const { path } = native().info();
  // Another one says what it is when it is loaded; what is there is listed also where that fails.
  const own = process.env.CRITMAP_ONNXRUNTIME;
  const runtime = own ? await runtimeVersion('fast').catch(messageOf) : onnxruntimeVersion();
  return [
    {
      id: 'cpu',
      available: true,
      name: cpus()[0]?.model.trim() || process.arch,
      detail: `${usableThreads()} threads, ${path} code path, ONNX Runtime ${runtime}`,
    },
    ...cards(
      native().cuda(
        native()
          .cuda()
          .devices.map((_, i) => i),
      ),
    ),
  ];
}

/** What CUDA finds, as devices; one that is not available where it finds none. */
export function cards({ devices, driver, runtime, reason }: CudaInventory): Device[] {
  if (devices.length === 0) {
    return [{ id: 'cuda', available: false, name: 'NVIDIA GPU', detail: reason ?? 'none was found' }];
  }
  return devices.map(({ name, memoryBytes, computeCapability, freeBytes }, i) => ({
    id: `cuda:${i}`,
    available: true,
    name,
    detail: `${gibibytes(memoryBytes)}${typeof freeBytes === 'number' ? ` (${gibibytes(freeBytes)} free)` : ''}, compute capability ${computeCapability}, driver for CUDA ${driver}, built with CUDA ${runtime}; sweeps on a card are not verified yet`,
    memoryBytes,
    ...(freeBytes !== undefined && { freeBytes }),
    computeCapability,
    driver,
    runtime,
  }));
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export const devicesCommand: CommandModule<object, { json: boolean }> = {
  command: 'devices',
  describe: 'List what a sweep can compute on here, and say why it cannot on the rest',
  builder: (yargs) => yargs.option('json', { type: 'boolean', default: false, describe: 'Print as JSON' }),
  handler: async ({ json: asJson }) => {
    const found = await devices();
    if (asJson) {
      print(json(found, 1));
      return;
    }
    for (const { id, available, name, detail } of shown(found)) {
      print(`${id.padEnd(8)}${available ? 'yes' : 'no '}  ${name}: ${detail}\n`);
    }
  },
};
