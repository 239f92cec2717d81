/** A float32 .npy file of the fixtures, whole; only as strict as test data that we made needs. */
import { readFileSync } from 'node:fs';

export function readNpyFloats(path: string): { data: Float32Array; shape: number[] } {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const shape = /'shape': \(([^)]*)\)/
    .exec(bytes.toString('latin1', 10, start))?.[1]
    ?.split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const copy = Uint8Array.from(bytes.subarray(start));
  return { data: new Float32Array(copy.buffer), shape: shape ?? [] };
}
