/**
 * `per-class.csv`: a row for every layer, reset and class that the layer has seen an image of. The accuracy before is the
 * untouched model's on the very images that the layer was reset for.
 */
import { csvField, type Field } from '../files/csv.js';
import type { DetailedRun, DetailOptions, LayerLines } from './detailed-run.js';
import type { LineDetails } from './finished.js';
import { addClassRow, type ClassRow, classRow } from './image-numbers.js';

const HEADER = 'layer,reset,class,name,images,passes,invalid,criticality,agreement,top1_before,top1';

/** The whole file from the rows of its layers. */
export const classesOf = (layers: readonly string[]) => `${HEADER}\n${layers.join('')}`;

/** Rows of one layer under one reset, in the order of classes. */
export function classCsv(
  { layer, draws, lines }: LayerLines,
  original: ReadonlyMap<number, LineDetails>,
  { imagesPerDraw }: DetailOptions,
  { classNames }: DetailedRun,
): string {
  const { stoppedAt } = layer;
  const slices =
    stoppedAt === null || imagesPerDraw === 'all'
      ? Number.POSITIVE_INFINITY
      : Math.ceil(stoppedAt / imagesPerDraw);
  // Folded in the order of chunks, whatever the order of lines.
  const chunks = [...lines.keys()].sort((a, b) => a - b);
  const sumsOf = (of: ReadonlyMap<number, LineDetails>) =>
    byClass(
      chunks.flatMap((chunk) => of.get(chunk)?.perClass ?? []).filter((row) => row[classRow.slice]! < slices),
    );
  const [before, after] = [sumsOf(original), sumsOf(lines)];
  return [...after]
    .sort(([a], [b]) => a - b)
    .map(([index, row]) => {
      const [, , passes, invalid, cosine, agreement, top1] = row as [
        ...[slice: number, index: number, passes: number, invalid: number],
        ...[cosine: number, agreement: number, top1: number],
      ];
      const own = before.get(index);
      const fields: Field[] = [
        ...[layer.layer, layer.reset, index, classNames?.[index] ?? null],
        ...[passes / draws, passes, invalid],
        100 * (1 - cosine / passes),
        (100 * agreement) / passes,
        own ? (100 * own[classRow.top1]!) / own[classRow.passes]! : null,
        (100 * top1) / passes,
      ];
      return `${fields.map(csvField).join(',')}\n`;
    })
    .join('');
}

function byClass(rows: readonly ClassRow[]): Map<number, ClassRow> {
  const totals = new Map<number, ClassRow>();
  for (const row of rows) {
    const index = row[classRow.class]!;
    const total = totals.get(index);
    if (total) addClassRow(total, row);
    else totals.set(index, [...row]);
  }
  return totals;
}
