/**
 * What torch.save writes since PyTorch 1.6: a zip file of a pickle (`data.pkl`) and one entry per storage, not
 * compressed, so that its bytes are read in place. Entries that someone compressed since are inflated when they are
 * needed, to a bounded size.
 */
import { createInflateRaw } from 'node:zlib';
import { CritmapError, messageOf, quoted } from '../errors.js';
import { openZip } from '../files/zip-file.js';
import { type ByteSource, cutOff } from './byte-file.js';
import type { Contents } from './checkpoint-file.js';
import { readPickle } from './pickle.js';
import { PickleError } from './pickle-values.js';
import type { Storage } from './stored-tensor.js';
import { findTables } from './tables.js';
import { MAX_PICKLE_BYTES, named, storageHost } from './torch-storages.js';
import { weightsError } from './weights-error.js';

/** Where an entry is, as the directory at the file's end says. */
interface Entry {
  name: string;
  method: number;
  encrypted: boolean;
  headerStart: number;
  storedBytes: number;
  byteLength: number;
}

const STORED = 0;
const DEFLATED = 8;
const MAX_ENTRIES = 50_000;
/** An entry may inflate to this many bytes, and besides to this many times what the file has. */
const MAX_INFLATED_BYTES = 16 * 2 ** 20;
const MAX_INFLATION = 4;
const LOCAL_HEADER_BYTES = 30;

export async function readTorchZip(file: ByteSource): Promise<Contents> {
  const entries = await directory(file);
  const pickle = [...entries.values()]
    .filter(({ name }) => name === 'data.pkl' || name.endsWith('/data.pkl'))
    .reduce<Entry | undefined>((a, b) => (a && a.name.length <= b.name.length ? a : b), undefined);
  if (!pickle) throw notTorch(file, entries);
  if (pickle.byteLength > MAX_PICKLE_BYTES) {
    throw weightsError(
      file.path,
      `has a pickle of ${pickle.byteLength} bytes beside its tensors`,
      'save just model.state_dict()',
    );
  }
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw weightsError(
      file.path,
      'is TorchScript (torch.jit.save), a program with its weights',
      'load it in Python with torch.jit.load and torch.save its state_dict()',
    );
  }
  const order = entries.get(`${folder}byteorder`);
  if (order && (await readEntry(file, order)).toString('latin1') === 'big') {
    throw weightsError(
      file.path,
      'was saved on a big-endian machine',
      'save it again on a little-endian one',
    );
  }
  const inflated: Inflated = {};
  const host = storageHost(file, (key, byteLength) => {
    const entry = entries.get(`${folder}data/${key}`);
    if (!entry)
      throw new PickleError(`the storage ${quoted(key)} is missing in it`, 'download or copy it again');
    if (entry.byteLength < byteLength) {
      throw new PickleError(
        `the storage ${quoted(key)} should have ${byteLength} bytes and has ${entry.byteLength}`,
        'download or copy it again',
      );
    }
    return storageOf(file, entry, inflated);
  });
  try {
    const { value } = readPickle(await readEntry(file, pickle), 0, host);
    return { format: 'PyTorch zip', ...findTables(value) };
  } catch (thrown) {
    throw named(file, thrown);
  }
}

async function directory(file: ByteSource): Promise<Map<string, Entry>> {
  try {
    const zip = await openZip(file);
    if (zip.entryCount > MAX_ENTRIES) {
      throw weightsError(
        file.path,
        `has ${zip.entryCount} entries, more than any checkpoint`,
        'save just model.state_dict()',
      );
    }
    const entries = new Map<string, Entry>();
    for await (const entry of zip.eachEntry()) {
      entries.set(entry.fileName, {
        name: entry.fileName,
        method: entry.compressionMethod,
        encrypted: entry.isEncrypted(),
        headerStart: entry.relativeOffsetOfLocalHeader,
        storedBytes: entry.compressedSize,
        byteLength: entry.uncompressedSize,
      });
    }
    return entries;
  } catch (thrown) {
    if (thrown instanceof CritmapError) throw thrown;
    throw cutOff(file.path, `is a zip file that is cut off or damaged (${messageOf(thrown)})`);
  }
}

function notTorch(file: ByteSource, entries: ReadonlyMap<string, Entry>): CritmapError {
  const names = [...entries.keys()];
  if (names.some((name) => name.endsWith('.npy'))) {
    return weightsError(file.path, 'is a NumPy .npz', 'save the weights with torch.save or as safetensors');
  }
  const inside = names.find((name) => /\.(pth?|ckpt|tar|bin|safetensors)$/i.test(name));
  return weightsError(
    file.path,
    `is a zip file without the data.pkl that torch.save writes`,
    inside ? `unpack it and give ${quoted(inside)} of it` : 'give a checkpoint of torch.save or safetensors',
  );
}

/** The entry of a file that was inflated last: whoever reads a tensor piece by piece asks for it again and again. */
interface Inflated {
  entry?: Entry;
  bytes?: Promise<Buffer>;
}

/** Bytes of an entry where they are, or inflated once they are asked for. */
function storageOf(file: ByteSource, entry: Entry, last: Inflated): Storage {
  let start: Promise<number> | undefined;
  if (entry.method === STORED) {
    return {
      byteLength: entry.byteLength,
      async readInto(target, position) {
        start ??= dataStart(file, entry);
        await file.readInto(target, (await start) + position);
      },
    };
  }
  return {
    byteLength: entry.byteLength,
    async readInto(target, position) {
      if (last.entry !== entry || !last.bytes) Object.assign(last, { entry, bytes: readEntry(file, entry) });
      const bytes = await last.bytes!;
      target.set(bytes.subarray(position, position + target.length));
    },
  };
}

async function readEntry(file: ByteSource, entry: Entry): Promise<Buffer> {
  const start = await dataStart(file, entry);
  if (entry.method === STORED) return file.read(start, entry.byteLength);
  if (entry.method !== DEFLATED) {
    throw weightsError(
      file.path,
      `its entry ${quoted(entry.name)} is compressed by method ${entry.method}`,
      'save it again with torch.save',
    );
  }
  const most = MAX_INFLATED_BYTES + MAX_INFLATION * file.byteLength;
  if (entry.byteLength > most) {
    throw weightsError(
      file.path,
      `its entry ${quoted(entry.name)} would inflate from ${entry.storedBytes} to ${entry.byteLength} bytes`,
      'save it again with torch.save, which does not compress',
    );
  }
  return inflate(file, entry, await file.read(start, entry.storedBytes));
}

/** Exactly as many bytes as the directory says, whatever the stream would give. */
async function inflate(file: ByteSource, entry: Entry, stored: Buffer): Promise<Buffer> {
  const bytes = Buffer.alloc(entry.byteLength);
  let filled = 0;
  const stream = createInflateRaw();
  stream.end(stored);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (chunk.length > bytes.length - filled) throw new RangeError('it is longer than it says');
      filled += chunk.copy(bytes, filled);
    }
    if (filled < bytes.length) throw new RangeError('it is shorter than it says');
    return bytes;
  } catch (thrown) {
    throw cutOff(file.path, `its entry ${quoted(entry.name)} is damaged (${messageOf(thrown)})`);
  }
}

/** After the entry's own header, whose names and extra fields may be other than the directory's. */
async function dataStart(file: ByteSource, entry: Entry): Promise<number> {
  const problem = `its entry ${quoted(entry.name)} is cut off or damaged`;
  if (entry.encrypted) {
    throw weightsError(
      file.path,
      `its entry ${quoted(entry.name)} is encrypted`,
      'save it without a password',
    );
  }
  if (entry.headerStart + LOCAL_HEADER_BYTES > file.byteLength) throw cutOff(file.path, problem);
  const header = await file.read(entry.headerStart, LOCAL_HEADER_BYTES);
  const start = entry.headerStart + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (header.readUInt32LE(0) !== 0x04034b50 || start + entry.storedBytes > file.byteLength) {
    throw cutOff(file.path, problem);
  }
  if (entry.method === STORED && entry.storedBytes !== entry.byteLength) throw cutOff(file.path, problem);
  return start;
}
