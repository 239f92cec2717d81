/** What a TIFF file says of its colours, where libvips differs from Pillow. */

const PHOTOMETRIC = 262;
const WHITE_IS_ZERO = 0;
/** CIE's, with signed a and b; the ICC's; the ITU's. */
const LAB: readonly (number | null)[] = [8, 9, 10];

/**
 * Whether 0 is white: libvips inverts such grey of 16 bits, Pillow that of 8 only.
 * @param bytes - a TIFF file; of a BigTIFF it is not told
 */
export const isWhiteZero = (bytes: Uint8Array): boolean => photometric(bytes) === WHITE_IS_ZERO;

/** Whether colours are L*a*b*: libvips refuses most of what Pillow reads then. */
export const isLab = (bytes: Uint8Array): boolean => LAB.includes(photometric(bytes));

/** @returns null for what is no TIFF file, or does not say */
function photometric(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const word = (at: number) => (at + 2 <= bytes.length ? view.getUint16(at, little) : 0);
  if (bytes.length < 8 || bytes[0] !== bytes[1] || !(little || bytes[0] === 0x4d) || word(2) !== 42)
    return null;
  const directory = view.getUint32(4, little);
  const entries = word(directory);
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + entry * 12;
    if (word(at) === PHOTOMETRIC) return at + 12 <= bytes.length ? valueAt(view, at, little) : null;
  }
  return null;
}

/** A number of 16 or of 32 bits. */
function valueAt(view: DataView, entry: number, little: boolean): number {
  const isShort = view.getUint16(entry + 2, little) === 3;
  return isShort ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little);
}
