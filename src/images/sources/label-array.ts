/** Class labels from a .npy array of any integer dtype. */

import { imageError } from '../input-error.js';
import type { ByteRange } from './byte-range.js';
import { type NpyDtype, readNpyHeader, shapeText } from './npy.js';

const READERS: Partial<Record<NpyDtype, (bytes: Buffer, at: number) => number>> = {
  uint8: (bytes, at) => bytes.readUInt8(at),
  int8: (bytes, at) => bytes.readInt8(at),
  uint16: (bytes, at) => bytes.readUInt16LE(at),
  int16: (bytes, at) => bytes.readInt16LE(at),
  uint32: (bytes, at) => bytes.readUInt32LE(at),
  int32: (bytes, at) => bytes.readInt32LE(at),
  // What a double cannot hold is far outside the labels' range and stays so.
  uint64: (bytes, at) => Number(bytes.readBigUInt64LE(at)),
  int64: (bytes, at) => Number(bytes.readBigInt64LE(at)),
};

/** Labels are int32 everywhere after this. */
export const MAX_LABEL = 2 ** 31 - 1;

/**
 * @param total - images in the source; there must be as many labels
 * @throws CritmapError ERR_IMAGES on another shape, another dtype or a label outside 0 to 2^31 - 1
 */
export async function readLabelArray(range: ByteRange, total: number): Promise<Int32Array> {
  const header = await readNpyHeader(range);
  const { name } = range;
  const read = READERS[header.dtype];
  if (!read) throw imageError(name, `labels are ${header.dtype}`, 'save class indices as integers');
  if (header.shape.length !== 1) {
    throw imageError(name, `labels have shape ${shapeText(header.shape)}`, 'save one class index per image');
  }
  if (header.shape[0] !== total) throw wrongLength(name, header.shape[0]!, total);
  const bytes = await range.read(header.dataStart, header.dataBytes);
  const labels = new Int32Array(total);
  for (let index = 0; index < total; index++) {
    const label = read(bytes, index * header.itemBytes);
    if (!(label >= 0 && label <= MAX_LABEL)) {
      throw imageError(name, `label ${index} is ${label}`, `class indices run from 0 to ${MAX_LABEL}`);
    }
    labels[index] = label;
  }
  return labels;
}

/** The refusal for a number of labels other than the number of images. */
export function wrongLength(name: string, labels: number, images: number): Error {
  return imageError(name, `has ${labels} labels for ${images} images`, 'give one label per image');
}
