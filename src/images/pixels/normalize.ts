/**
 * (v / 255 - mean) / std for uint8 pixels, through a table of 256 values per channel: computed in double,
 * stored as float32, so every pixel gets the correctly rounded value at the price of a look-up.
 */
import { native } from '../../native/addon.js';
import type { Pixels } from './pixels.js';

/** 256 float32 values per channel, channel after channel. */
export type NormalizeTable = Float32Array;

/**
 * @param mean - per channel, in units of pixel / 255
 * @param std - per channel, in units of pixel / 255, above 0
 */
export function normalizeTable(mean: readonly number[], std: readonly number[]): NormalizeTable {
  const table = new Float32Array(mean.length * 256);
  for (let channel = 0; channel < mean.length; channel++) {
    for (let value = 0; value < 256; value++) {
      table[channel * 256 + value] = (value / 255 - mean[channel]!) / std[channel]!;
    }
  }
  return table;
}

/**
 * Writes HWC uint8 pixels as CHW float32.
 * @param out - receives channels x height x width values from `start`
 */
export function normalize(pixels: Pixels, table: NormalizeTable, out: Float32Array, start: number): void {
  native().normalize(pixels.data, table, out, start);
}
