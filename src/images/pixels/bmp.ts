/**
 * BMP files, through NetSurf's decoder in WebAssembly (@cwasm/nsbmp). The header is read here first: kinds for which
 * the decoder's pixels are not Pillow's, and pictures of which there is not all, are refused with the reason.
 */
import type { Size } from '../../native/addon.js';

/** Of a BMP file that can be decoded. */
export interface BmpHeader extends Size {
  /** Of a pixel: 1, 2, 4 or 8 of a palette, or 24 or 32. */
  readonly bits: number;
}

/** Sizes of the header that say which kind it is: Windows' versions 3 to 5, and those between. */
const HEADER_BYTES = [40, 52, 56, 108, 124];
const PLAIN = 0;
const BITFIELDS = 3;
const RUN_LENGTHS = [1, 2];
const DEPTHS = [1, 2, 4, 8, 24, 32];
/** The decoder's memory is never given back. */
const MOST_PIXELS = 2 ** 26;

/** Whether a file begins as BMP files do. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/**
 * @param bytes - a file for which `isBmp` holds
 * @throws Error with the reason for a header that is cut off or damaged, and for kinds of BMP that are not read
 */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  if (bytes.length < 54) throw new Error('the file ends before the picture');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, headerBytes] = [view.getUint32(10, true), view.getUint32(14, true)];
  if (headerBytes === 12 || headerBytes === 64) throw notRead('of OS/2');
  if (!HEADER_BYTES.includes(headerBytes))
    throw new Error(`its header says that it has ${headerBytes} bytes`);
  const [width, signedHeight] = [view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  // Rows from the top have a height below 0.
  const height = Math.abs(signedHeight);
  if (width < 1 || height < 1) throw new Error(`its header says ${height}x${width} pixels`);
  if (height * width > MOST_PIXELS) {
    throw new Error(`${height}x${width} pixels are more than the ${MOST_PIXELS} that are read of a BMP`);
  }
  if (RUN_LENGTHS.includes(compression)) throw notRead('with run lengths');
  if (compression !== PLAIN && compression !== BITFIELDS) throw notRead(`of compression ${compression}`);
  if (!DEPTHS.includes(bits)) throw notRead(`of ${bits} bits a pixel`);
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  if (start + rowBytes * height > bytes.length) throw new Error('its data is cut off');
  return { height, width, bits };
}

/**
 * @param bytes - a file whose header {@link readBmpHeader} has read
 * @returns RGB pixels, any alpha dropped
 * @throws Error with the reason when it is damaged
 */
export async function decodeBmp(bytes: Uint8Array, { height, width }: BmpHeader): Promise<Uint8Array> {
  const { decode } = (await import('@cwasm/nsbmp')).default;
  const { data, width: wide, height: high } = attempt(() => decode(bytes));
  if (wide !== width || high !== height) throw new Error('its header is damaged');
  const rgb = new Uint8Array(height * width * 3);
  for (let at = 0, from = 0; at < rgb.length; at += 3, from += 4) {
    rgb[at] = data[from]!;
    rgb[at + 1] = data[from + 1]!;
    rgb[at + 2] = data[from + 2]!;
  }
  return rgb;
}

/** The decoder knows one reason only. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw new Error('its data is damaged', { cause: thrown });
  }
}

function notRead(kind: string): Error {
  return new Error(`it is a BMP ${kind}, which is not read; convert it to PNG`);
}
