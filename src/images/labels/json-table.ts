/** A JSON object of images' paths and their classes, `{"a.jpg": 3}`, as a table of two columns. */
import { z } from 'zod';
import { imageError } from '../input-error.js';
import type { LabelTable } from './table.js';

const entries = z.record(z.string(), z.union([z.string(), z.number()]));

export const isJson = (file: string) => /\.jsonl?$/i.test(file);

/** @throws CritmapError ERR_IMAGES for what is no such object */
export function readJsonTable(file: string, text: string): LabelTable {
  let parsed: z.infer<typeof entries>;
  try {
    parsed = entries.parse(JSON.parse(text));
  } catch (thrown) {
    throw imageError(
      file,
      'is not a JSON object of images and their classes, {"a.jpg": 3, "b.jpg": 0}',
      'write one, or a table (.csv) with a column of images and one of classes',
      thrown,
    );
  }
  const rows = Object.entries(parsed).map(([image, label]) => [image.trim(), String(label).trim()]);
  if (rows.length === 0) throw imageError(file, 'is empty', 'write each image and its class');
  let at = 0;
  let line = 1;
  const lines = Object.keys(parsed).map((image) => {
    const found = text.indexOf(JSON.stringify(image), at);
    if (found < 0) return line;
    line += text.slice(at, found).split('\n').length - 1;
    at = found;
    return line;
  });
  return { file, rows, lines, by: 'JSON' };
}
