/**
 * Damaged copies of a file, the same for the same seed: bytes changed, runs cut out or doubled, numbers put at their
 * limits, words of the formats and pieces of other files put in.
 */

/**
 * Marsaglia's xorshift32: small, fast, and the same everywhere.
 *
 * @param {number} seed
 * @returns {(below: number) => number} whole numbers from 0
 */
export function randomOf(seed) {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Little-endian, as they stand in lengths, counts and offsets. */
const limits = [
  0n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 3n,
];

/** What readers look for. */
const words = [
  ...[
    'cos\nsystem\n',
    'ccollections\nOrderedDict\n',
    'ctorch\nFloatStorage\n',
    '(',
    '.',
    'R',
    't',
    'b',
    'u',
    'e',
  ],
  ...[
    '\x8a\xff',
    '\x8b\xff\xff\xff\x7f',
    'X\xff\xff\xff\xff',
    'q\x00',
    'h\x00',
    ')',
    ']',
    '}',
    '2',
    '0',
    'N',
    'Q',
  ],
  ...[
    '{"',
    '"shape":[',
    '9007199254740993',
    '-1',
    '1e400',
    '"data_offsets":[0,0]',
    '__proto__',
    '\\u0000',
    '}}',
  ],
  ...[
    'PK\x03\x04',
    'PK\x01\x02',
    'PK\x05\x06',
    'PK\x06\x06',
    '\x80\x02',
    '\x80\x04\x95',
    "'shape': (",
    'True',
  ],
  ...['PAR1', '\x15\x00', '\x19\xfc', 'ustar\x0000', '30 path=', '../', '\x89PNG', 'IHDR', 'PLTE', 'IDAT'],
  ...['tRNS', '\xff\xd8', '\xff\xc0', '\xff\xc4', '\xff\xda', '\xff\xd0', '\xff\xe2', '\xff\x00'],
].map((word) => Buffer.from(word, 'latin1'));

/**
 * @param {Buffer} file
 * @param {readonly Buffer[]} others files of the same kind, whose pieces are put in
 * @param {(below: number) => number} random
 * @returns {Buffer}
 */
export function mutate(file, others, random) {
  let bytes = Buffer.from(file);
  // Half of the places are near the start or the end, where headers and directories are.
  const place = (length) => {
    const near = random(4);
    const reach = Math.min(length, 128);
    return near === 0 ? random(reach) : near === 1 ? length - 1 - random(reach) : random(length);
  };
  for (let turn = 1 + random(4); turn > 0 && bytes.length > 0; turn--) {
    const at = place(bytes.length);
    const length = Math.min(1 + random(random(8) === 0 ? 4096 : 16), bytes.length - at);
    const put = (piece, rest) => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(rest)]);
    const kind = random(8);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes[at] ^= 1 << random(8);
    else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3) bytes = put(Buffer.alloc(0), at + length);
    else if (kind === 4) bytes = put(bytes.subarray(at, at + length), at);
    else if (kind === 5) {
      const limit = Buffer.alloc(8);
      limit.writeBigUInt64LE(limits[random(limits.length)] + BigInt(random(3)));
      limit.copy(bytes, at, 0, [1, 2, 4, 8][random(4)]);
    } else if (kind === 6) {
      const word = words[random(words.length)];
      bytes = put(word, random(2) === 0 ? at : at + word.length);
    } else {
      const other = others[random(others.length)];
      const from = place(other.length);
      bytes = put(other.subarray(from, from + length), at);
    }
  }
  return bytes;
}
