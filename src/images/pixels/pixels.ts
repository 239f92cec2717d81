/** What images are once they are decoded. */

/** Decoded pixels: uint8, rows top to bottom, channels interleaved (HWC), RGB or one grey channel. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** What a model takes, or an image is: sizes in elements. */
export interface InputShape {
  channels: number;
  height: number;
  width: number;
}
