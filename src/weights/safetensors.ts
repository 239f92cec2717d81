/**
 * Hugging Face's safetensors: the length of a header in 8 bytes, the header (JSON: type, shape and place of every
 * tensor), the tensors' bytes. The whole of them must be described, without gaps or overlaps.
 */

import { quoted } from '../errors.js';
import { type ByteSource, cutOff } from './byte-file.js';
import type { Contents } from './checkpoint-file.js';
import { elementTypes } from './element-types.js';
import { denseStrides, type StoredTensor, storedTensor } from './stored-tensor.js';
import { weightsError } from './weights-error.js';

const LENGTH_BYTES = 8;
/** Ten thousand tensors take 1 MB. */
const MAX_HEADER_BYTES = 8 * 2 ** 20;
const MAX_TENSORS = 30_000;
/** A tensor's description has four names with a colon, and no more brackets, braces and commas than this. */
const MAX_COLONS = 5 * MAX_TENSORS;
const MAX_PUNCTUATION = 12 * MAX_TENSORS;
/** PyTorch's tensors have no more. */
const MAX_DIMENSIONS = 64;

/** PyTorch's names of the format's types. */
const types: Readonly<Record<string, string>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F8_E4M3: 'float8_e4m3fn',
  F8_E5M2: 'float8_e5m2',
  F8_E8M0: 'float8_e8m0fnu',
  C64: 'complex64',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
};

/** Whether the first bytes of a file can be this format: a small length, and JSON's opening brace. */
export function looksLikeSafetensors(start: Buffer): boolean {
  return start.length > LENGTH_BYTES && start.readUInt16LE(6) === 0 && start[LENGTH_BYTES] === 0x7b;
}

export async function readSafetensors(file: ByteSource): Promise<Contents> {
  const refuse = (problem: string, remedy = 'download it again or save it again') =>
    weightsError(file.path, problem, remedy);
  const headerBytes = Number((await file.read(0, LENGTH_BYTES)).readBigUInt64LE());
  if (headerBytes > MAX_HEADER_BYTES) throw refuse(`has a header of ${headerBytes} bytes: it is damaged`);
  const dataStart = LENGTH_BYTES + headerBytes;
  if (dataStart > file.byteLength) throw cutOff(file.path);
  const data = file.byteLength - dataStart;

  const tensors = new Map<string, StoredTensor>();
  const spans: [begin: number, end: number][] = [];
  for (const [name, value] of await header(file, headerBytes)) {
    const described = description(value);
    if (!described) throw refuse(`the tensor ${quoted(name)} is not described as it should be`);
    const { dtype, shape, span } = described;
    const type = elementTypes.get((Object.hasOwn(types, dtype) && types[dtype]) || '');
    if (!type) throw refuse(`the tensor ${quoted(name)} has the unknown type ${quoted(dtype)}`);
    const [begin, end] = span;
    if (end > data) throw cutOff(file.path, `ends ${end - data} bytes too early: it is cut off`);
    const count = shape.reduce((product, d) => product * d, 1);
    if (end - begin !== count * type.bytes) {
      throw refuse(
        `the tensor ${quoted(name)} is ${quoted(shape.join(' x '))} of ${type.name} in ${end - begin} bytes`,
      );
    }
    const storage = {
      byteLength: end - begin,
      readInto: (target: Uint8Array, position: number) => file.readInto(target, dataStart + begin + position),
    };
    const tensor = storedTensor({ type, shape, strides: denseStrides(shape), offset: 0, storage });
    if (typeof tensor === 'string') throw refuse(`the tensor ${quoted(name)} ${tensor}`);
    tensors.set(name, tensor);
    spans.push([begin, end]);
  }
  spans.sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
  const covered = spans.reduce((at, [begin, end]) => (begin === at ? end : Number.NaN), 0);
  if (covered !== data) throw refuse('its tensors overlap or leave bytes out: it is damaged');
  return { format: 'safetensors', tables: [{ path: [], tensors }] };
}

async function header(file: ByteSource, byteLength: number): Promise<[name: string, value: unknown][]> {
  const bytes = await file.read(LENGTH_BYTES, byteLength);
  const tooMany = () =>
    weightsError(file.path, `has more than ${MAX_TENSORS} tensors`, 'save just model.state_dict()');
  // Objects take many times the memory of the text that makes them.
  let colons = 0;
  let punctuation = 0;
  for (const byte of bytes) {
    if (byte === 0x3a) colons++;
    else if (byte === 0x5b || byte === 0x7b || byte === 0x2c) punctuation++;
  }
  if (colons > MAX_COLONS || punctuation > MAX_PUNCTUATION) throw tooMany();
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw weightsError(file.path, 'has a header that is not JSON: it is damaged', 'download it again');
  }
  const entries = Object.entries(value).filter(([name]) => name !== '__metadata__');
  if (entries.length > MAX_TENSORS) throw tooMany();
  return entries;
}

/** What a header says of one tensor; not with zod, which would list what is wrong with each of a million numbers. */
function description(value: unknown) {
  const { dtype, shape, data_offsets: span } = (value ?? {}) as Record<string, unknown>;
  const sizes = (list: unknown, most: number): list is number[] =>
    Array.isArray(list) &&
    list.length <= most &&
    list.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (typeof dtype !== 'string' || !sizes(shape, MAX_DIMENSIONS) || !sizes(span, 2)) return undefined;
  const [begin = -1, end = -1] = span;
  return end >= 0 ? { dtype, shape, span: [begin, end] as const } : undefined;
}
