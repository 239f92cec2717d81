/** A picture of what a model will see: the first crops of a sample side by side. */
import sharp from 'sharp';
import type { ImageSet } from './image-set.js';
import { optionError } from './input-error.js';

const MOST_IMAGES = 48;
const COLUMNS = 8;
const GAP = 4;
/** Pixels that a large crop is shrunk to; beyond them nobody sees more. */
const MOST_SIDE = 256;

/**
 * @returns a PNG file: up to 48 crops in the sample's order, eight a row, before normalisation
 * @throws CritmapError ERR_OPTION for tensors and for channels that are no colours
 */
export async function contactSheet(set: ImageSet): Promise<Buffer> {
  const { channels, height, width } = set.shape;
  if (set.transform.kind === 'tensors' || (channels !== 1 && channels !== 3)) {
    throw optionError(
      `--preview shows images of 1 or 3 channels, and ${set.source} gives none; leave it out`,
    );
  }
  const count = Math.min(MOST_IMAGES, set.count);
  const scale = Math.min(1, MOST_SIDE / Math.max(height, width));
  const [tileHeight, tileWidth] = [Math.ceil(height * scale), Math.ceil(width * scale)];
  const columns = Math.min(COLUMNS, count);
  const tiles = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const { data } = await set.crop(at);
      const tile = sharp(data, { raw: { height, width, channels } });
      if (scale < 1) tile.resize({ height: tileHeight, width: tileWidth, fit: 'fill' });
      return {
        input: await tile.png().toBuffer(),
        left: GAP + (at % columns) * (tileWidth + GAP),
        top: GAP + Math.floor(at / columns) * (tileHeight + GAP),
      };
    }),
  );
  const sheet = {
    width: GAP + columns * (tileWidth + GAP),
    height: GAP + Math.ceil(count / columns) * (tileHeight + GAP),
    channels: 3 as const,
    background: 'white',
  };
  return sharp({ create: sheet }).composite(tiles).removeAlpha().png().toBuffer();
}
