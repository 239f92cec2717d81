/** Sizes and windows of resizing and centre cropping, with torchvision's rounding. */

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * The size after `Resize(short)`: the short side becomes `short`, the long side is truncated
 * (torchvision's `_compute_resized_image_output_size`).
 */
export function resizedSize({ height, width }: Size, short: number): Size {
  return height < width
    ? { height: short, width: Math.trunc((short * width) / height) }
    : { height: Math.trunc((short * height) / width), width: short };
}

/** Where `CenterCrop` puts its top left corner: `int(round((size - crop) / 2.0))`. */
export function centreCrop(from: Size, crop: Size): { readonly top: number; readonly left: number } {
  return {
    top: roundHalfEven((from.height - crop.height) / 2),
    left: roundHalfEven((from.width - crop.width) / 2),
  };
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
