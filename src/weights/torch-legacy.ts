/**
 * What torch.save wrote before PyTorch 1.6, and still does when asked: five pickles one after the other (a magic
 * number, a version, facts about the machine, the object, the storages' keys), then every storage's length and bytes.
 */

import { quoted } from '../errors.js';
import { type ByteSource, cutOff } from './byte-file.js';
import type { Contents } from './checkpoint-file.js';
import { readPickle } from './pickle.js';
import type { PickleHost } from './pickle-machine.js';
import { damaged, PickleError, type PickleValue } from './pickle-values.js';
import type { Storage } from './stored-tensor.js';
import { findTables } from './tables.js';
import { MAX_PICKLE_BYTES, named, storageHost } from './torch-storages.js';

/** The first pickle: protocol 2 of the integer 0x1950a86a20f9469cfc6c. */
export const LEGACY_MAGIC = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

/** The pickles' length is written nowhere: more is read until they end. */
const FIRST_WINDOW = 256 * 1024;

/** A storage whose place is known after the pickles have been read. */
class LegacyStorage implements Storage {
  start = -1;

  constructor(
    private readonly file: ByteSource,
    readonly byteLength: number,
    readonly elements: number,
  ) {}

  readInto(target: Uint8Array, position: number): Promise<void> {
    return this.file.readInto(target, this.start + position);
  }
}

export async function readTorchLegacy(file: ByteSource): Promise<Contents> {
  try {
    for (let window = FIRST_WINDOW; ; window *= 4) {
      const length = Math.min(window, file.byteLength, MAX_PICKLE_BYTES);
      const storages = new Map<string, LegacyStorage>();
      const host = storageHost(file, (key, byteLength, elements) => {
        const storage = new LegacyStorage(file, byteLength, elements);
        storages.set(key, storage);
        return storage;
      });
      const read = pickles(await file.read(0, length), host, length < window);
      if (!read) continue;
      const found = findTables(read.value);
      await place(file, read.keys, read.end, storages);
      return { format: 'PyTorch legacy', ...found };
    }
  } catch (thrown) {
    throw named(file, thrown);
  }
}

/** The object and the keys; undefined when the pickles are longer than these bytes, which are not all there are. */
function pickles(bytes: Buffer, host: PickleHost, whole: boolean) {
  try {
    const next = (from: number) => readPickle(bytes, from, host);
    const version = next(LEGACY_MAGIC.length);
    if (version.value !== 1001) throw damaged(`version ${textOf(version.value)}`);
    const machine = next(version.end);
    if (machine.value instanceof Map && machine.value.get('little_endian') === false) {
      throw new PickleError('it was saved on a big-endian machine', 'save it again on a little-endian one');
    }
    const object = next(machine.end);
    const keys = next(object.end);
    return { value: object.value, keys: keys.value, end: keys.end };
  } catch (thrown) {
    if (thrown instanceof PickleError && thrown.endsEarly && !whole) return undefined;
    throw thrown;
  }
}

/** A list may be nested too deep to be written. */
function textOf(value: PickleValue): string {
  return typeof value === 'string' ? quoted(value) : typeof value === 'number' ? String(value) : 'of no name';
}

/** Finds where every storage begins: each has its number of elements before it, in 8 bytes. */
async function place(
  file: ByteSource,
  keys: PickleValue,
  from: number,
  storages: ReadonlyMap<string, LegacyStorage>,
): Promise<void> {
  if (!Array.isArray(keys)) throw damaged('the storages are not listed');
  let at = from;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || storage.start >= 0) throw damaged(`a storage ${textOf(key)} that is not used`);
    if (at + 8 > file.byteLength) throw cutOff(file.path);
    const elements = (await file.read(at, 8)).readBigInt64LE();
    if (elements !== BigInt(storage.elements)) {
      throw damaged(`the storage ${textOf(key)} has ${elements} elements, not ${storage.elements}`);
    }
    storage.start = at + 8;
    at = storage.start + storage.byteLength;
    if (at > file.byteLength) throw cutOff(file.path);
  }
  for (const [key, { start }] of storages) {
    if (start < 0) throw damaged(`the storage ${quoted(key)} is missing`);
  }
}
