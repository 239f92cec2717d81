/**
 * What a line of the journal carries besides sums where it is asked for: numbers of single images, and sums by class.
 * So they are on disk when the line is, come back from workers and shards with it, and are damaged only where its
 * checksum says so; the files of them are made from the journal (`image-files.ts`, `class-file.ts`).
 */
import type { SlicePart } from '../design/slices.js';
import type { ColumnName, ImageRows } from '../native/columns.js';

/** Numbers of an image that can be kept, by their names in results, with their columns. */
const kept = {
  cosine: 'cosine',
  l1: 'l1',
  l2: 'l2',
  kl: 'kl',
  js: 'js',
  agreement: 'agree',
  top1: 'top1',
  top5: 'top5',
  loss: 'loss',
} as const satisfies Record<string, ColumnName>;

export type ImageMetric = keyof typeof kept;
export const imageMetrics = Object.keys(kept) as [ImageMetric, ...ImageMetric[]];
export const labelledMetrics: readonly ImageMetric[] = ['top1', 'top5', 'loss'];

/**
 * One metric of the images of a chunk: float32, draws x images, or the mean over draws of each image.
 * @param draws - rows of the chunk under each draw
 * @returns its bytes, little-endian, in base64
 */
export function imageNumbers(draws: readonly ImageRows[], metric: ImageMetric, isMean: boolean): string {
  const values = draws.map((rows) => rows.column(kept[metric]));
  const count = draws[0]?.images ?? 0;
  const means = () =>
    Float64Array.from(
      { length: count },
      (_, i) => values.reduce((sum, draw) => sum + draw[i]!, 0) / values.length,
    );
  const rows = isMean && values.length > 1 ? [means()] : values;
  const bytes = Buffer.alloc(4 * rows.length * count);
  for (const [d, row] of rows.entries()) {
    // NaN of one kind only: others have a sign, or bits of their own.
    for (let i = 0; i < count; i++) {
      const value = row[i]!;
      bytes.writeFloatLE(Number.isNaN(value) ? Number.NaN : value, 4 * (d * count + i));
    }
  }
  return bytes.toString('base64');
}

/**
 * Sums over the images of one class in one slice, under all draws that they saw; an array, since a journal has millions.
 * `passes` are images times draws; the cosine is of those that are valid.
 */
export type ClassRow = number[];

/** Where its numbers are. */
export const classRow = {
  slice: 0,
  class: 1,
  passes: 2,
  invalid: 3,
  cosine: 4,
  agreement: 5,
  top1: 6,
} as const;
const NUMBERS = Object.keys(classRow).length;

/** @param draws - rows of a chunk under each draw; @param labels - of its images, -1 for none */
export function classRows(
  draws: readonly ImageRows[],
  slices: readonly SlicePart[],
  labels: Int32Array,
): ClassRow[] {
  const columns = draws.map((rows) => ({
    cosine: rows.column('cosine'),
    agree: rows.column('agree'),
    invalid: rows.column('invalid'),
    top1: rows.column('top1'),
  }));
  return slices.flatMap(({ slice, from, to }) => {
    const sums = new Map<number, ClassRow>();
    for (let i = from; i < to; i++) {
      const label = labels[i]!;
      if (label < 0) continue;
      const row = sums.get(label) ?? [slice, label, 0, 0, 0, 0, 0];
      sums.set(label, row);
      for (const { cosine, agree, invalid, top1 } of columns) {
        row[classRow.passes]!++;
        row[classRow.invalid]! += invalid[i]!;
        if (!invalid[i]) row[classRow.cosine]! += cosine[i]!;
        row[classRow.agreement]! += agree[i]!;
        row[classRow.top1]! += top1[i]!;
      }
    }
    return [...sums.values()];
  });
}

/** Adds the sums of `row` to those of earlier images of its class. */
export function addClassRow(total: ClassRow, row: ClassRow): void {
  for (let i = classRow.passes; i < NUMBERS; i++) total[i]! += row[i]!;
}

/** Counts that no comparison gives are damage. */
export function isClassRow(row: unknown): row is ClassRow {
  if (!Array.isArray(row) || row.length !== NUMBERS) return false;
  for (let i = 0; i < NUMBERS; i++) {
    const value: unknown = row[i];
    const isCount = Number.isSafeInteger(value) && (value as number) >= 0;
    if (i === classRow.cosine ? !Number.isFinite(value) : !isCount) return false;
  }
  const [passes, invalid, agreement, top1] = [row[2], row[3], row[5], row[6]] as [
    number,
    number,
    number,
    number,
  ];
  return Math.max(agreement, top1) + invalid <= passes;
}
