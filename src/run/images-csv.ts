/** `images.csv` of a run: which images were used, in order, with their labels and the SHA-256 of their content. */

import { csvField } from '../files/csv.js';
import type { ImageSet } from '../images/index.js';

/** @throws CritmapError ERR_IMAGES when an image cannot be read, if the images have not been checked before */
export async function imagesCsv(images: ImageSet): Promise<string> {
  const hashes = await images.hashes();
  const rows = hashes.map((hash, at) => {
    const image = images.names?.[at] ?? images.indices[at]!;
    return [image, images.labels?.[at] ?? null, hash].map(csvField).join(',');
  });
  return `${['image,label,sha256', ...rows].join('\n')}\n`;
}
