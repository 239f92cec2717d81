/**
 * Python's pickle format, protocols 0 to 5, read as data. The format is a program for a stack machine; this one only
 * builds values. Where Python would import a name, a list decides (known-globals.ts): a few names build a tensor or a
 * container here, every other one stands for an inert record, and what only an attack has a use for is refused. No code
 * of the file, nor any code that it names, can run. Reference: CPython's Lib/pickletools.py.
 *
 * Time is linear in the bytes, and what the values may take in memory is bounded.
 */
import { Machine, type PickleHost } from './pickle-machine.js';
import { operations } from './pickle-operations.js';
import type { PickleValue } from './pickle-values.js';

/**
 * Reads one pickle.
 * @returns its value, and the position after it
 * @throws PickleError
 */
export function readPickle(
  bytes: Buffer,
  start: number,
  host: PickleHost,
): { value: PickleValue; end: number } {
  return new Machine(bytes, start, host, operations).run();
}
