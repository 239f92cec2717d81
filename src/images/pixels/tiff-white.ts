/** Whether 0 is white in a TIFF file: libvips inverts such grey of 16 bits, Pillow that of 8 only. */

const PHOTOMETRIC = 262;
const WHITE_IS_ZERO = 0;

/** @param bytes - a TIFF file; of a BigTIFF it is not told */
export function isWhiteZero(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const word = (at: number) => (at + 2 <= bytes.length ? view.getUint16(at, little) : 0);
  if (bytes.length < 8 || word(2) !== 42) return false;
  const directory = view.getUint32(4, little);
  const entries = word(directory);
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + entry * 12;
    if (word(at) === PHOTOMETRIC)
      return at + 12 <= bytes.length && valueAt(view, at, little) === WHITE_IS_ZERO;
  }
  return false;
}

/** A number of 16 or of 32 bits. */
function valueAt(view: DataView, entry: number, little: boolean): number {
  const isShort = view.getUint16(entry + 2, little) === 3;
  return isShort ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little);
}
