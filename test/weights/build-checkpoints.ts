/** Writes the checkpoints that the tests read, byte by byte: pickles, torch.save's files around them, safetensors. */
import { type Member, zip } from '../images/build-files.js';

const bytes = (...parts: (string | number | Uint8Array)[]) =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'string'
        ? Buffer.from(part, 'latin1')
        : typeof part === 'number'
          ? Buffer.of(part)
          : part,
    ),
  );

const u32 = (value: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};

/** Pickle operations under pickletools' names. */
export const op = {
  proto: (version = 2) => bytes('\x80', version),
  stop: bytes('.'),
  mark: bytes('('),
  tuple: bytes('t'),
  emptyTuple: bytes(')'),
  emptyDict: bytes('}'),
  emptyList: bytes(']'),
  setItems: bytes('u'),
  appends: bytes('e'),
  reduce: bytes('R'),
  newObject: bytes('\x81'),
  build: bytes('b'),
  none: bytes('N'),
  false: bytes('\x89'),
  stackGlobal: bytes('\x93'),
  memoize: bytes('\x94'),
  persistentId: bytes('Q'),
  get: (key: number) => bytes('h', key),
  put: (key: number) => bytes('q', key),
  int: (value: number) => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32LE(value);
    return bytes('J', buffer);
  },
  text: (value: string) => bytes('X', u32(Buffer.byteLength(value)), Buffer.from(value)),
  global: (module: string, name: string) => bytes(`c${module}\n${name}\n`),
  instance: (module: string, name: string) => bytes(`i${module}\n${name}\n`),
};

export const pickle = (...operations: Uint8Array[]) => Buffer.concat([op.proto(), ...operations, op.stop]);

const tuple = (...items: Uint8Array[]) => Buffer.concat([op.mark, ...items, op.tuple]);

export interface TensorWords {
  key?: string;
  kind?: string;
  count?: number;
  offset?: number;
  shape?: readonly number[];
  strides?: readonly number[];
}

/** A float32 tensor of 4 elements in storage `0`, unless told otherwise. */
export function tensor(words: TensorWords = {}): Buffer {
  const { key = '0', kind = 'FloatStorage', count = 4, offset = 0, shape = [4], strides = [1] } = words;
  const numbers = (values: readonly number[]) => tuple(...values.map(op.int));
  const storage = [op.text('storage'), op.global('torch', kind), op.text(key), op.text('cpu'), op.int(count)];
  return Buffer.concat([
    op.global('torch._utils', '_rebuild_tensor_v2'),
    tuple(
      ...[tuple(...storage), op.persistentId, op.int(offset), numbers(shape), numbers(strides), op.false],
      ...[op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce],
    ),
    op.reduce,
  ]);
}

/** `{name: value, ...}` */
export function dict(entries: Record<string, Uint8Array>): Buffer {
  const items = Object.entries(entries).flatMap(([name, value]) => [op.text(name), value]);
  return Buffer.concat([op.emptyDict, op.mark, ...items, op.setItems]);
}

export const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);

/** A zip file as torch.save writes it. */
export function torchZip(
  pickled: Uint8Array,
  storages: Record<string, Uint8Array> = { 0: floats(1, 2, 3, 4) },
  more: readonly Member[] = [],
): Buffer {
  const members = Object.entries(storages).map(([key, data]) => ({ name: `a/data/${key}`, data }));
  return zip([{ name: 'a/data.pkl', data: pickled }, ...members, ...more]);
}

/** A file as torch.save wrote it before 1.6. */
export function torchLegacy(
  pickled: Uint8Array,
  storages: Record<string, Uint8Array> = { 0: floats(1, 2, 3, 4) },
  elementBytes = 4,
): Buffer {
  const data = Object.values(storages).map((data) => {
    const length = Buffer.alloc(8);
    length.writeBigInt64LE(BigInt(data.length / elementBytes));
    return Buffer.concat([length, data]);
  });
  return Buffer.concat([
    Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
    pickle(op.int(1001)),
    pickle(op.emptyDict),
    pickled,
    pickle(op.emptyList, op.mark, ...Object.keys(storages).map(op.text), op.appends),
    ...data,
  ]);
}

/** A safetensors file of this header (an object, or its text) and data. */
export function safetensors(header: unknown, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}
