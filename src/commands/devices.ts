/** `critmap devices`: what can compute here, and why not the rest. */
import { availableParallelism, cpus } from 'node:os';
import type { CommandModule } from 'yargs';
import { CritmapError } from '../errors.js';
import { native } from '../native.js';
import { onnxruntimeVersion } from '../version.js';

export interface Device {
  id: string;
  available: boolean;
  /** Processor or card. */
  name: string;
  /** What it computes with, or why it cannot. */
  detail: string;
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
    { id: 'cuda', available: false, name: 'NVIDIA GPU', detail: CUDA_REASON },
  ];
}

const CUDA_REASON = 'this build of critmap has no CUDA code; it computes on the CPU';

/** @throws CritmapError when a device that was asked for cannot compute; `auto` never fails */
export function requireDevice(device: string): void {
  if (device === 'auto' || device === 'cpu') return;
  if (/^cuda(:(\d+|all)(,\d+)*)?$/.test(device)) {
    throw new CritmapError('ERR_NATIVE', `--device ${device}: ${CUDA_REASON}`);
  }
  throw new CritmapError('ERR_OPTION', `--device ${device}: there is no such device; give auto, cpu or cuda`);
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
      process.stdout.write(`${id.padEnd(6)}${available ? 'yes' : 'no '}  ${name}: ${detail}\n`);
    }
  },
};
