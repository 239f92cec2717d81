/** How torch.save's pickles name storages: persistent ids, tuples that say where the bytes are. */
import type { ByteSource } from './byte-file.js';
import { knownGlobal, storageType } from './known-globals.js';
import type { PickleHost } from './pickle-machine.js';
import { damaged, PickleError, type PickleValue, TypedStorage } from './pickle-values.js';
import type { Storage } from './stored-tensor.js';
import { weightsError } from './weights-error.js';

/** What is kept of a pickle beside the tensors' bytes; a ResNet-50's checkpoint needs 1 MB. */
const MOST_BYTES = 32 * 2 ** 20;

/** A pickle itself: it holds names and numbers, no tensors. */
export const MAX_PICKLE_BYTES = 256 * 2 ** 20;

/**
 * A host for one file's pickle. Every storage is made once, so that tensors that share one can be told.
 * @param storageOf of a key and its length
 */
export function storageHost(
  file: ByteSource,
  storageOf: (key: string, byteLength: number, elements: number) => Storage,
): PickleHost {
  const storages = new Map<string, Storage>();
  return {
    mostBytes: MOST_BYTES + 4 * file.byteLength,
    global: knownGlobal,
    persistent(id) {
      const { key, count, type, view } = parse(id);
      const known = storages.get(key);
      const storage = known ?? storageOf(key, count * (type?.bytes ?? 1), count);
      if (!known) storages.set(key, storage);
      return new TypedStorage(storage, type, view);
    },
  };
}

/** ('storage', class, key, device, elements[, view]); the view of old files is (its key, offset, elements). */
function parse(id: PickleValue) {
  if (!Array.isArray(id) || id.length < 5) throw damaged('a storage without a name');
  const [kind, of, key, , count, view] = id;
  if (kind === 'module') {
    throw new PickleError(
      'it holds a model as an object, which only its own code could read; nothing was executed',
      'load it in Python and save model.state_dict()',
    );
  }
  const offset = Array.isArray(view) ? view[1] : 0;
  if (kind !== 'storage' || typeof key !== 'string' || !isCount(count) || !isCount(offset)) {
    throw damaged('a storage without a name');
  }
  return { key, count, type: storageType(of), view: offset };
}

const isCount = (value: PickleValue | undefined): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** What a reader throws, with the file's name. */
export function named(file: ByteSource, thrown: unknown): unknown {
  if (thrown instanceof PickleError) return weightsError(file.path, thrown.problem, thrown.remedy, thrown);
  return thrown;
}
