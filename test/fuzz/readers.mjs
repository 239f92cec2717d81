/**
 * Feeds damaged files to the readers of files from elsewhere.
 *
 *   node --max-old-space-size=64 test/fuzz/readers.mjs READER SEED COUNT     # of dist; READER as below, or all
 *
 * Each input must end in a result, or in one line of critmap's own that names the file; within a second; and the
 * process must never have held more than 10 x the largest file and 64 MB above what it held after the first inputs.
 * Prints a JSON line per reader, and ends with 1 if an input did not. An input is found again by its seed and index.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CritmapError } from '../../dist/errors.js';
import { openArray } from '../../dist/images/array.js';
import { memoryRange } from '../../dist/images/byte-range.js';
import { readNpyHeader } from '../../dist/images/npy.js';
import { loadModel } from '../../dist/model.js';
import { cutOff } from '../../dist/weights/byte-file.js';
import { readContents } from '../../dist/weights/checkpoint.js';
import { match } from '../../dist/weights/match.js';
import { parametersOf } from '../../dist/weights/parameters.js';
import { readPickle } from '../../dist/weights/pickle.js';
import { PickleError } from '../../dist/weights/pickle-values.js';
import { readFloats } from '../../dist/weights/stored-tensor.js';
import { findTables } from '../../dist/weights/tables.js';
import { storageHost } from '../../dist/weights/torch-storages.js';
import { mutate, randomOf } from './mutate.mjs';

const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const read = (name) => readFileSync(fixture(name));
const weights = (...names) => names.map((name) => read(`weights/${name}`));

const folder = mkdtempSync(join(tmpdir(), 'critmap-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const written = (name, bytes) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

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
  const source = await openArray(written('a.npz', bytes), { channels: 1, height: 8, width: 8 }, true);
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
/** @type {Record<string, { seeds: Buffer[], code: string, run: (bytes: Buffer) => Promise<void> }>} */
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
      findTables(readPickle(bytes, 0, host).value);
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

/** The most memory the process has held. Linux's getrusage counts from before exec, so a large parent's too. */
function peakBytes() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** What an input may end with, in one line. */
const fair = (error) =>
  error instanceof PickleError || (error instanceof CritmapError && !/[\n\r]/.test(error.message));

async function fuzz(name, seed, count) {
  const { seeds, run } = readers[name];
  const random = randomOf(seed);
  const failures = [];
  let accepted = 0;
  let slowestMs = 0;
  let largest = 0;
  let before = 0;
  for (let index = 0; index < count && failures.length < 10; index++) {
    const bytes = mutate(seeds[random(seeds.length)], seeds, random);
    largest = Math.max(largest, bytes.length);
    const start = performance.now();
    try {
      await run(bytes);
      accepted++;
    } catch (error) {
      if (!fair(error)) failures.push({ index, error: String(error?.stack ?? error).slice(0, 600) });
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
    // By then the code is compiled, and the heap as large as these files alone make it.
    if (index === Math.floor(count / 20)) before = peakBytes();
  }
  const grownBytes = peakBytes() - before;
  return {
    reader: name,
    seed,
    count,
    accepted,
    failures,
    slowestMs: Math.round(slowestMs),
    grownBytes,
    largest,
  };
}

const [wanted = 'all', seed = '1', count = '1000'] = process.argv.slice(2);
const names = Object.keys(readers).filter((name) => wanted === 'all' || wanted.split(',').includes(name));
for (const name of names) {
  const result = await fuzz(name, Number(seed), Number(count));
  console.log(JSON.stringify(result));
  const tooMuch = result.grownBytes > 10 * result.largest + 64 * 2 ** 20;
  if (result.failures.length > 0 || tooMuch) process.exitCode = 1;
}
