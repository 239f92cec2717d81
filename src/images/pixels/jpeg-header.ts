/** What a JPEG file says of itself before its first scan: enough to plan a decode, or to refuse one. */

/** Of a JPEG file that can be decoded. */
export interface JpegHeader {
  readonly height: number;
  readonly width: number;
  /** 1: grey, 3: YCbCr or RGB, 4: CMYK or YCCK. */
  readonly components: 1 | 3 | 4;
  /** Whether the picture comes in several scans, so that all of it must be held while it is decoded. */
  readonly scans: 'one' | 'several';
}

/** By the low four bits of a start-of-frame marker: what the decoder has no code for. */
const UNREADABLE_FRAMES: Record<number, string> = {
  3: 'lossless',
  5: 'hierarchical',
  6: 'hierarchical',
  7: 'lossless hierarchical',
  11: 'lossless',
  13: 'hierarchical',
  14: 'hierarchical',
  15: 'lossless hierarchical',
};

/** Whether a file begins as JPEG files do. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * @param bytes - a file for which `isJpeg` holds
 * @throws Error with the reason for a header that is cut off or damaged, and for kinds of JPEG that are not read
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  let found: Omit<JpegHeader, 'scans'> | undefined;
  let progressive = false;
  let at = 2;
  const word = (from: number) => (bytes[from]! << 8) | bytes[from + 1]!;
  for (;;) {
    // Fill bytes before a marker, and what decoders skip: anything that is no marker.
    while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] !== 0xff && bytes[at + 1] !== 0)) at++;
    // What is wrong after the frame's header the decoder tells.
    if (at + 4 > bytes.length) {
      if (found) return { ...found, scans: 'several' };
      throw new Error('the file ends before the picture');
    }
    const marker = bytes[at + 1]!;
    at += 2;
    // Restart, start and temporary markers have no content.
    if ((marker >= 0xd0 && marker <= 0xd8) || marker === 0x01) continue;
    const length = word(at);
    if (marker === 0xd9 || marker === 0xda) {
      if (!found) throw new Error('it has no frame header');
      const inOne = !progressive && marker === 0xda && bytes[at + 2] === found.components;
      return { ...found, scans: inOne ? 'one' : 'several' };
    }
    if (at + length > bytes.length) {
      if (found) return { ...found, scans: 'several' };
      throw new Error('its header is damaged or cut off');
    }
    if (isFrame(marker) && !found) {
      found = frame(bytes, at, marker & 15);
      progressive = (marker & 3) === 2;
    }
    // One that is too short for itself counts as empty, for decoders too.
    at += Math.max(length, 2);
  }
}

function frame(bytes: Uint8Array, at: number, kind: number): Omit<JpegHeader, 'scans'> {
  const [precision = 0, high = 0, low = 0, wide = 0, narrow = 0, components = 0] = bytes.subarray(
    at + 2,
    at + 8,
  );
  const unreadable = UNREADABLE_FRAMES[kind];
  if (unreadable) throw new Error(`it is a ${unreadable} JPEG, which is not read`);
  if (precision !== 8) throw new Error(`it is a JPEG of ${precision} bits a sample; only 8 are read`);
  const height = (high << 8) | low;
  const width = (wide << 8) | narrow;
  if (height === 0 || width === 0) throw new Error(`its header says ${height}x${width} pixels`);
  if (components !== 1 && components !== 3 && components !== 4) {
    throw new Error(`it has ${components} colour components`);
  }
  return { height, width, components };
}

/** Among the start-of-frame markers are two for tables and one that is reserved. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
