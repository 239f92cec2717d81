/**
 * A checkpoint: safetensors, or what torch.save writes. The format is told by a file's first bytes; its ending says
 * nothing. Opening one reads names, types and shapes; values are read when they are asked for.
 */
import { ByteFile, type ByteSource } from './byte-file.js';
import type { Contents, FormatReader } from './checkpoint-file.js';
import { withWeightsOf } from './parametrisations.js';
import { looksLikeSafetensors, readSafetensors } from './safetensors.js';
import { LEGACY_MAGIC, readTorchLegacy } from './torch-legacy.js';
import { readTorchZip } from './torch-zip.js';
import { weightsError } from './weights-error.js';

export interface Checkpoint extends Contents {
  readonly path: string;
  /** SHA-256 of the whole file, in hex. */
  sha256(): Promise<string>;
  /** Values cannot be read any more. */
  close(): Promise<void>;
}

/** What other files begin with, what they are, and what to do with them. */
const others: readonly (readonly [start: string, at: number, what: string, remedy: string])[] = [
  ['\x89HDF', 0, 'is an HDF5 file (Keras)', 'export the model to ONNX instead'],
  ['\x1f\x8b', 0, 'is compressed (gzip)', 'unpack it first'],
  ['BZh', 0, 'is compressed (bzip2)', 'unpack it first'],
  ['\xfd7zXZ', 0, 'is compressed (xz)', 'unpack it first'],
  [
    'ustar',
    257,
    'is a tar file',
    'unpack it first; torch.load and torch.save bring a very old one up to date',
  ],
  ['version https://git-lfs', 0, 'is a Git LFS pointer, not the file itself', 'run git lfs pull'],
  ['\x93NUMPY', 0, 'is a NumPy array', 'save the weights with torch.save or as safetensors'],
  ['{', 0, 'is JSON, perhaps an index of shards', 'give the file of the tensors'],
  ['<', 0, 'is a web page or XML', 'download the file itself'],
  ['\x80', 0, 'is a plain pickle', 'load it in Python and torch.save its tensors'],
];

/**
 * Opens a checkpoint.
 * @throws CritmapError (ERR_WEIGHTS): no such file, not a checkpoint, damaged, or refused for what it names
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = await ByteFile.open(path);
  try {
    const contents = await readContents(file);
    return { ...contents, path, sha256: () => file.sha256(), close: () => file.close() };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

/** What a checkpoint's bytes hold. */
export async function readContents(file: ByteSource): Promise<Contents> {
  const contents = await (await readerOf(file))(file);
  return { ...contents, tables: contents.tables.map(withWeightsOf) };
}

/** What is wrong with a file, and what to do. */
type Problem = readonly [what: string, remedy: string];

/**
 * What a file is by its first bytes: a checkpoint, or something that is known to be none, nor a model. Undefined for
 * what may be anything else.
 * @throws CritmapError (ERR_WEIGHTS) when there is no such file, or it may not be read
 */
export async function kindOf(path: string): Promise<'checkpoint' | Problem | undefined> {
  const file = await ByteFile.open(path);
  try {
    const bytes = await start(file);
    return readerFor(bytes) ? 'checkpoint' : otherOf(bytes);
  } finally {
    await file.close();
  }
}

/**
 * Whether the file begins as a checkpoint does; a reset's donor may also be an ONNX model.
 * @throws CritmapError (ERR_WEIGHTS): no such file, or what is known to be neither
 */
export async function isCheckpoint(path: string): Promise<boolean> {
  const kind = await kindOf(path);
  if (typeof kind === 'object') throw weightsError(path, ...kind);
  return kind === 'checkpoint';
}

const start = (file: ByteSource) => file.read(0, Math.min(512, file.byteLength));

function readerFor(bytes: Buffer): FormatReader | undefined {
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === 0x04034b50) return readTorchZip;
  if (bytes.subarray(0, LEGACY_MAGIC.length).equals(LEGACY_MAGIC)) return readTorchLegacy;
  return looksLikeSafetensors(bytes) ? readSafetensors : undefined;
}

async function readerOf(file: ByteSource): Promise<FormatReader> {
  const bytes = await start(file);
  const reader = readerFor(bytes);
  if (reader) return reader;
  const [what, remedy] = otherOf(bytes) ?? [
    'is no checkpoint that critmap reads',
    'give one of torch.save (.pth, .pt, .ckpt, .bin) or .safetensors',
  ];
  throw weightsError(file.path, what, remedy);
}

/** What a file is that is known not to be a checkpoint, and what to do with it. */
function otherOf(bytes: Buffer): Problem | undefined {
  if (bytes.length === 0) return ['is empty', 'download or copy it again'];
  const text = bytes.toString('latin1');
  const [, , what, remedy] = others.find(([start, at]) => text.startsWith(start, at)) ?? [];
  return what && remedy ? [what, remedy] : undefined;
}
