/** Sizes and windows of resizing and centre cropping, with torchvision's rounding. */

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A rectangle of pixels. */
export interface Window extends Size {
  readonly top: number;
  readonly left: number;
}

/** Where the pixels of a crop come from. */
export interface Placement {
  /** The picture's size when it is resized. */
  readonly to: Size;
  /** What is taken of the resized picture. */
  readonly window: Window;
  /** Where that lies in the crop; it is surrounded by zeros. */
  readonly top: number;
  readonly left: number;
}

/**
 * The size after `Resize(short)`: the short side becomes `short`, the long side is truncated
 * (torchvision's `_compute_resized_output_size`).
 */
export function resizedSize({ height, width }: Size, short: number): Size {
  return height < width
    ? { height: short, width: Math.trunc((short * width) / height) }
    : { height: Math.trunc((short * height) / width), width: short };
}

/**
 * `Resize(short)`, if `short` is not null, and `CenterCrop(crop)`: a picture smaller than the crop gets a border,
 * as torchvision's does, the odd pixel below and to the right.
 */
export function placement(from: Size, short: number | null, crop: Size): Placement {
  const to = short === null ? { height: from.height, width: from.width } : resizedSize(from, short);
  const rows = alongAxis(to.height, crop.height);
  const columns = alongAxis(to.width, crop.width);
  return {
    to,
    window: { top: rows.from, left: columns.from, height: rows.length, width: columns.length },
    top: rows.at,
    left: columns.at,
  };
}

function alongAxis(size: number, crop: number): { from: number; length: number; at: number } {
  return size < crop
    ? { from: 0, length: size, at: Math.floor((crop - size) / 2) }
    : { from: roundHalfEven((size - crop) / 2), length: crop, at: 0 };
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
