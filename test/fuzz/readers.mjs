/**
 * Damaged models, checkpoints and arrays to their readers, from the built `dist`; see fuzz.mjs.
 *
 *   node --max-old-space-size=64 test/fuzz/readers.mjs READER SEED COUNT     # READER as below, or all
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CritmapError } from '../../dist/errors.js';
import { openArray } from '../../dist/images/sources/array.js';
import { memoryRange } from '../../dist/images/sources/byte-range.js';
import { readNpyHeader } from '../../dist/images/sources/npy.js';
import { loadModel } from '../../dist/model/load.js';
import { match } from '../../dist/model/match.js';
import { parametersOf } from '../../dist/model/parameters.js';
import { cutOff } from '../../dist/weights/byte-file.js';
import { readContents } from '../../dist/weights/checkpoint.js';
import { readPickle } from '../../dist/weights/pickle.js';
import { PickleError } from '../../dist/weights/pickle-values.js';
import { readFloats } from '../../dist/weights/stored-tensor.js';
import { findTables } from '../../dist/weights/tables.js';
import { storageHost } from '../../dist/weights/torch-storages.js';
import { fair, fuzzAll, written } from './fuzz.mjs';

const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const read = (name) => readFileSync(fixture(name));
const weights = (...names) => names.map((name) => read(`weights/${name}`));

const parameters = parametersOf(await loadModel(fixture('mlp.onnx')));
const noStorage = { path: 'pickle', byteLength: 0 };
const storageOf = (_, byteLength) => ({ byteLength, readInto: async () => {} });

/** A file that is in memory: most of the time would otherwise go to the file system. */
function inMemory(bytes) {
  const require = (position, length) => {
    if (!(position >= 0 && length >= 0 && position + length <= bytes.length)) throw cutOff('w');
  };
  return {
    path: 'w',
    byteLength: bytes.length,
    async read(position, length) {
      require(position, length);
      return Buffer.from(bytes.subarray(position, position + length));
    },
    async readInto(target, position) {
      require(position, target.length);
      target.set(bytes.subarray(position, position + target.length));
    },
  };
}

async function checkpoint(bytes) {
  const contents = await readContents(inMemory(bytes));
  for (const { tensors } of contents.tables) {
    for (const tensor of tensors.values()) {
      const count = tensor.shape.reduce((product, d) => product * d, 1);
      // A shape of stride 0 may be as large as it likes; a model's parameter of that shape is not.
      if (tensor.type.readable && count < 1e5) await readFloats(tensor);
    }
  }
  try {
    match([{ ...contents, path: 'w' }], parameters, { weight: 'fc2.weight', bias: 'fc2.bias' });
  } catch (error) {
    // It was read well; it need not be this model's.
    if (!fair(error)) throw error;
  }
}

async function npz(bytes) {
  const source = await openArray(
    written('a.npz', bytes),
    { channels: 1, height: 8, width: 8 },
    { labels: true, anySize: false },
  );
  try {
    await source.raw(source.total - 1);
  } finally {
    await source.close();
  }
}

/** The pickle of a torch.save file, which is its first entry. */
function pickleOf(zip) {
  const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
  return zip.subarray(start, readPickle(zip, start, storageHost(noStorage, storageOf)).end);
}

const torch = weights('mlp.linear.pth', 'mlp.pth.tar', 'mlp.protocol4.pth', 'tied.pth', 'mlp.deflated.pth');
const legacy = weights('bottleneck.legacy.pth', 'vit.strided.legacy.pth');
/** @type {Record<string, import('./fuzz.mjs').Reader>} */
const readers = {
  safetensors: {
    seeds: weights('mlp.float16.safetensors', 'mlp.bfloat16.safetensors', 'bottleneck.safetensors'),
    run: checkpoint,
  },
  zip: { seeds: torch, run: checkpoint },
  legacy: { seeds: legacy, run: checkpoint },
  pickle: {
    seeds: torch.slice(0, 4).map(pickleOf),
    async run(bytes) {
      const host = storageHost({ ...noStorage, byteLength: bytes.length }, storageOf);
      try {
        findTables(readPickle(bytes, 0, host).value);
      } catch (error) {
        // A file's name is put to it further up.
        throw error instanceof PickleError ? new CritmapError('ERR_WEIGHTS', error.message) : error;
      }
    },
  },
  onnx: {
    seeds: [read('mlp.onnx'), read('tied.onnx'), read('depthwise.onnx'), read('tied.dynamo.onnx')],
    run: async (bytes) => void (await loadModel(written('m.onnx', bytes))),
  },
  npy: {
    seeds: [read('mlp.npy'), read('tied.npy')],
    run: async (bytes) => void (await readNpyHeader(memoryRange(bytes, 'a.npy'))),
  },
  npz: { seeds: [read('npz/stored.npz'), read('npz/deflated.npz')], run: npz },
};

await fuzzAll(readers);
