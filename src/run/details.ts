/**
 * Files of single images and of classes, made from the journal when a run ends: `per-image/` and `per-class.csv`. The same
 * lines give the same bytes, in whatever order they were written. The journal is read layers by layers where numbers of
 * all would not fit into memory.
 */
import { join } from 'node:path';
import { CritmapError } from '../errors.js';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { removeTemporary } from '../files/replace.js';
import { isRandomLabel } from '../resets/kinds.js';
import { classCsv, classesOf } from './class-file.js';
import { type DetailedRun, type DetailOptions, detailOptions, type LayerLines } from './detailed-run.js';
import type { LineDetails } from './finished.js';
import { type RunIdentity, sealOf } from './identity.js';
import { type ImageFile, imageFile, imageFileName, imageIndexCsv } from './image-files.js';
import { files, type OpenRun } from './run.js';
import { scanJournalAt } from './scan-journal.js';

/** Numbers of images that are in memory at once. */
const MOST_BYTES = 2 ** 28;

/** @throws CritmapError (ERR_RUN) when one of them cannot be written, or the journal lacks what it should have */
export async function writeDetails(run: OpenRun, told: DetailedRun, mostBytes = MOST_BYTES): Promise<void> {
  const asked = detailOptions.safeParse(told.identity.options);
  if (!asked.success || (asked.data.perImage.length === 0 && !asked.data.perClass)) return;
  const options = asked.data;
  const { summary } = told;
  if (options.perImage.length > 0) await prepare(run, options);
  const all = summary.layers.map((layer, number) => {
    const draws = isRandomLabel(layer.reset, layer.op) ? options.trials : 1;
    return { number, layer, draws, lines: new Map() };
  });
  const made: ImageFile[] = [];
  const rows: string[] = [];
  const perLayer = bytesOfLayer(options, summary.data.images);
  const together = Math.max(1, Math.floor(mostBytes / perLayer));
  for (let first = 0; first < all.length; first += together) {
    const part = all.slice(first, first + together);
    const original = await collect(run, told.identity, part);
    for (const one of part) {
      for (const metric of options.perImage) {
        const file = imageFileName(one, metric, summary);
        const { bytes, shape } = imageFile(one, metric, options, told);
        await run.write(join(files.perImage, file), bytes);
        made.push({ layer: one.layer, metric, file, shape });
      }
      if (options.perClass) rows.push(classCsv(one, original, options, told));
      one.lines.clear();
    }
  }
  if (options.perImage.length > 0) await run.write(join(files.perImage, 'index.csv'), imageIndexCsv(made));
  if (options.perClass) await run.write(files.perClass, classesOf(rows));
}

async function prepare({ directory }: OpenRun, { perImage }: DetailOptions): Promise<void> {
  const folders = [files.perImage, ...perImage.map((metric) => join(files.perImage, metric))];
  for (const folder of folders) {
    const path = join(directory, folder);
    await makeDirectory(path).catch((error) => Promise.reject(cannotWrite(path, error)));
    await removeTemporary(path);
  }
}

/** At most: numbers as they are in lines, and rows of classes, of which there may be one an image. */
function bytesOfLayer({ perImage, perClass, trials }: DetailOptions, images: number): number {
  const perNumber = 4 * (4 / 3);
  return images * (perImage.length * trials * perNumber + (perClass ? 128 : 0));
}

/** The lines of some layers. @returns those of the untouched model, by chunk */
async function collect(
  run: OpenRun,
  identity: RunIdentity,
  wanted: readonly LayerLines[],
): Promise<Map<number, LineDetails>> {
  await run.journal.flush();
  const keyOf = (layer: string, reset: string) => JSON.stringify([layer, reset]);
  const byName = new Map(wanted.map((one) => [keyOf(one.layer.layer, one.layer.reset), one.lines]));
  const original = new Map<number, LineDetails>();
  const { damaged } = await scanJournalAt(run.journal.path, sealOf(identity), (line) => {
    const { chunk, perClass } = line;
    const isOriginal = line.type === 'original';
    const lines = isOriginal ? original : byName.get(keyOf(line.layer, line.reset));
    // A chunk counts once. Its sums are not kept again.
    if (!lines || lines.has(chunk)) return;
    lines.set(chunk, { ...(!isOriginal && { perImage: line.perImage }), perClass });
  });
  if (damaged.length > 0) {
    throw new CritmapError('ERR_RUN', `${run.journal.path} was damaged while the sweep was writing to it`);
  }
  return original;
}
