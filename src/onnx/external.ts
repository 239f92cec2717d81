/**
 * Tensors whose bytes lie in files beside the model, brought in by their ranges. A damaged or hostile model cannot
 * ask for more than its files hold, nor for files of other folders.
 */
import type { Hash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { openRegular } from '../files/regular-file.js';
import { kindOf } from '../weights/checkpoint.js';
import { fill } from './fill.js';
import type { Tensor } from './onnx_pb.js';
import { byteLength, isExternal, typeName, withBytes } from './tensors.js';

/** Bytes of a Git LFS pointer or a web page in place of data. */
const MOST_STAND_IN = 2 ** 16;

/** The bytes of all tensors, as a multiple of their files'; ranges overlap in no file that an exporter wrote. */
const MOST_OVERLAP = 2;

/** Bytes that were read, by file and range: tensors that name the same have them in common. */
interface Read {
  ranges: Map<string, Uint8Array>;
  /** Sizes of the files. */
  sizes: Map<string, number>;
  /** Bytes of all ranges. */
  total: number;
}

/**
 * @param path the model's
 * @param hash takes the bytes in, each range once
 * @throws CritmapError (ERR_MODEL) naming the tensor: no such file, cut off, outside of the model's folder, not
 *   of the size that the tensor has
 */
export async function inlineExternal(
  path: string,
  tensors: readonly Tensor[],
  hash: Hash,
): Promise<Tensor[]> {
  const read: Read = { ranges: new Map(), sizes: new Map(), total: 0 };
  const done: Tensor[] = [];
  for (const tensor of tensors) {
    done.push(isExternal(tensor) ? withBytes(tensor, await readExternal(path, tensor, read, hash)) : tensor);
  }
  return done;
}

async function readExternal(path: string, tensor: Tensor, read: Read, hash: Hash): Promise<Uint8Array> {
  const entries = new Map(tensor.externalData.map((entry) => [entry.key, entry.value]));
  const location = normalize(entries.get('location') ?? '');
  const fail = (why: string, cause?: unknown) =>
    new CritmapError('ERR_MODEL', `the external data of ${tensor.name} ${why}`, { cause });
  // A model from elsewhere must not make us read any other file of this machine.
  if (location === '.' || isAbsolute(location) || location === '..' || location.startsWith(`..${sep}`)) {
    throw fail(
      `is at ${JSON.stringify(location)}, outside the model's folder; move it beside ${basename(path)}`,
    );
  }
  const needed = byteLength(tensor);
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? needed);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw fail('has an impossible offset or length: the file is damaged');
  }
  if (length !== needed) {
    throw fail(
      `has ${length} bytes where ${typeName(tensor.dataType)} [${tensor.dims.join(', ')}] needs ${needed}: the file is damaged`,
    );
  }
  const range = `${offset} ${length} ${location}`;
  const known = read.ranges.get(range);
  if (known) return known;
  const file = resolve(dirname(path), location);
  if (await leadsElsewhere(path, file)) {
    throw fail(
      `is in ${location}, a link out of the model's folder; copy what it names beside ${basename(path)}`,
    );
  }
  const handle = await openRegular(file).catch((error) => {
    const [problem, remedy] = fileProblem(error);
    const todo = error.code === 'ENOENT' ? `copy it beside ${basename(path)}` : remedy;
    throw fail(`is in ${location}, which ${problem}; ${todo}`, error);
  });
  try {
    const { size } = await handle.stat();
    if (offset + length > size) {
      // Weights that are merely cut off can begin with any byte, and are large.
      const kind = size <= MOST_STAND_IN ? await kindOf(resolve(dirname(path), location)) : undefined;
      if (typeof kind === 'object') throw fail(`is in ${location}, which ${kind.join('; ')}`);
      throw fail(`needs ${offset + length} bytes of ${location}, which has ${size}: the file is cut off`);
    }
    read.sizes.set(location, size);
    read.total += length;
    if (read.total > MOST_OVERLAP * sum(read.sizes.values())) {
      throw fail(`overlaps that of other tensors in ${location}: the file is damaged`);
    }
    // A fresh buffer starts aligned, so the floats in it can be viewed in place.
    const bytes = new Uint8Array(length);
    if (!(await fill(bytes, handle, offset, hash))) {
      throw fail(`ends early in ${location}: the file is cut off`);
    }
    read.ranges.set(range, bytes);
    return bytes;
  } finally {
    await handle.close();
  }
}

/**
 * Whether a file is, by links, in another place than the model's folder and the folder that the model itself is in by a
 * link: a hub's cache has both model and data in a store of its own.
 */
async function leadsElsewhere(model: string, file: string): Promise<boolean> {
  const [real, folder, store] = await Promise.all([
    realpath(file).catch(() => null),
    realpath(dirname(model)),
    realpath(model).then(dirname, () => null),
  ]);
  // What is not there is told of by whoever opens it.
  if (real === null) return false;
  return !real.startsWith(join(folder, sep)) && dirname(real) !== store;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
