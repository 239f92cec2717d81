/** Writes the .npy, .npz and .tar files that the tests read, byte by byte, with every field open to being wrong. */
import { crc32, deflateRawSync } from 'node:zlib';
import { Header } from 'tar';

/** A .npy file as numpy.save writes it: magic, version, padded header, data. */
export function npy(
  descr: string,
  shape: readonly number[],
  data: Uint8Array,
  { version = 1, fortran = false, header }: { version?: number; fortran?: boolean; header?: string } = {},
): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict =
    header ?? `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const lengthBytes = version === 1 ? 2 : 4;
  const unpadded = 8 + lengthBytes + Buffer.byteLength(dict) + 1;
  const text = `${dict}${' '.repeat((64 - (unpadded % 64)) % 64)}\n`;
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntLE(Buffer.byteLength(text), 0, lengthBytes);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(text),
    data,
  ]);
}

/** The bytes of a typed array, in this machine's (little-endian) order. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A counting pattern that differs from pixel to pixel. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 37 + (at >> 3)) & 255);
}

/** One member of a zip file; what is not given is computed from `data`. */
export interface Member {
  name: string;
  data: Uint8Array;
  method?: 'stored' | 'deflated' | number;
  flags?: number;
  crc?: number;
  declaredBytes?: number;
}

/** A zip file of local headers, members, directory and end record. */
export function zip(members: readonly Member[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, method = 'stored', flags = 0, crc = crc32(data), declaredBytes } of members) {
    const packed = method === 'deflated' ? deflateRawSync(data) : Buffer.from(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(method === 'stored' ? 0 : method === 'deflated' ? 8 : method, 4);
    fields.writeUInt32LE(crc, 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(declaredBytes ?? data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fields, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...directory, end]);
}

/** The same with sizes and positions in zip64's 8 bytes, as archives above 4 GB have them. */
export function zip64(members: readonly Member[]): Buffer {
  const plain = zip(members);
  const end = plain.length - 22;
  const [count, size, offset] = [members.length, plain.readUInt32LE(end + 12), plain.readUInt32LE(end + 16)];
  const directory: Buffer[] = [];
  for (let at = offset; at < offset + size; ) {
    const head = Buffer.from(plain.subarray(at, at + 46));
    const nameBytes = head.readUInt16LE(28);
    const extra = Buffer.alloc(28);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(head.readUInt32LE(24)), 4);
    extra.writeBigUInt64LE(BigInt(head.readUInt32LE(20)), 12);
    extra.writeBigUInt64LE(BigInt(head.readUInt32LE(42)), 20);
    for (const field of [20, 24, 42]) head.writeUInt32LE(0xffffffff, field);
    head.writeUInt16LE(extra.length, 30);
    directory.push(head, plain.subarray(at + 46, at + 46 + nameBytes), extra);
    at += 46 + nameBytes;
  }
  const entries = Buffer.concat(directory);
  const record = Buffer.alloc(56);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  for (const field of [24, 32]) record.writeBigUInt64LE(BigInt(count), field);
  record.writeBigUInt64LE(BigInt(entries.length), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(BigInt(offset + entries.length), 8);
  locator.writeUInt32LE(1, 16);
  const tail = Buffer.from(plain.subarray(end));
  tail.fill(0xff, 8, 20);
  return Buffer.concat([plain.subarray(0, offset), entries, record, locator, tail]);
}

/** One member of a tar file, its header whatever the test wants. */
export function tarMember(
  path: string,
  content: string | Buffer,
  over: Record<string, unknown> = {},
): Buffer {
  const data = Buffer.from(content);
  const header = new Header({
    path,
    size: data.length,
    mode: 0o644,
    type: 'File',
    mtime: new Date(0),
    ...over,
  });
  const block = Buffer.alloc(512);
  header.encode(block, 0);
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

/** What ends a tar file. */
export const TAR_END = Buffer.alloc(1024);
