/**
 * `per-class.csv`: a row for every layer, reset and class that the layer has seen an image of. The accuracy before is the
 * untouched model's on the very images that the layer was reset for.
 */
import { csvField, type Field } from '../files/csv.js';
import type { DetailedRun, DetailOptions, LayerLines } from './detailed-run.js';
import type { JournalLine } from './finished.js';
import { type ClassSums, classSums } from './image-numbers.js';

const HEADER = 'layer,reset,class,name,images,passes,invalid,criticality,agreement,top1_before,top1';

/** The whole file from the rows of its layers. */
export const classesOf = (layers: readonly string[]) => `${HEADER}\n${layers.join('')}`;

/** Rows of one layer under one reset, in the order of classes. */
export function classCsv(
  { layer, draws, lines }: LayerLines,
  original: ReadonlyMap<number, JournalLine>,
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
  const sumsOf = (of: ReadonlyMap<number, JournalLine>) => {
    const rows = chunks.flatMap((chunk) => of.get(chunk)?.perClass ?? []).map(classSums);
    return byClass(rows.filter(({ slice }) => slice < slices));
  };
  const [before, after] = [sumsOf(original), sumsOf(lines)];
  return [...after.values()]
    .sort((a, b) => a.class - b.class)
    .map((sums) => {
      const { class: index, passes, invalid, cosine, agreement, top1 } = sums;
      const own = before.get(index);
      const fields: Field[] = [
        ...[layer.layer, layer.reset, index, classNames?.[index] ?? null],
        ...[passes / draws, passes, invalid],
        passes > invalid ? 100 * (1 - cosine / (passes - invalid)) : null,
        (100 * agreement) / passes,
        own ? (100 * own.top1) / own.passes : null,
        (100 * top1) / passes,
      ];
      return `${fields.map(csvField).join(',')}\n`;
    })
    .join('');
}

function byClass(rows: readonly ClassSums[]): Map<number, ClassSums> {
  const totals = new Map<number, ClassSums>();
  for (const row of rows) {
    const total = totals.get(row.class);
    if (!total) {
      totals.set(row.class, { ...row });
      continue;
    }
    total.passes += row.passes;
    total.invalid += row.invalid;
    total.cosine += row.cosine;
    total.agreement += row.agreement;
    total.top1 += row.top1;
  }
  return totals;
}
