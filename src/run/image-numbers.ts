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

/** Sums over the images of one class in one slice, under all draws that they saw. */
export interface ClassSums {
  slice: number;
  class: number;
  /** Images times draws, and those of them that are invalid. */
  passes: number;
  invalid: number;
  /** Of valid ones. */
  cosine: number;
  agreement: number;
  top1: number;
}

/** In the order in which lines have them. */
const sumNames = ['slice', 'class', 'passes', 'invalid', 'cosine', 'agreement', 'top1'] as const;
export type ClassRow = number[];

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
    const sums = new Map<number, ClassSums>();
    for (let i = from; i < to; i++) {
      const label = labels[i]!;
      if (label < 0) continue;
      const none = { slice, class: label, passes: 0, invalid: 0, cosine: 0, agreement: 0, top1: 0 };
      const total = sums.get(label) ?? none;
      sums.set(label, total);
      for (const { cosine, agree, invalid, top1 } of columns) {
        total.passes++;
        total.invalid += invalid[i]!;
        if (!invalid[i]) total.cosine += cosine[i]!;
        total.agreement += agree[i]!;
        total.top1 += top1[i]!;
      }
    }
    return [...sums.values()].map((total) => sumNames.map((name) => total[name]));
  });
}

/** A row as it was written. */
export function classSums(row: ClassRow): ClassSums {
  return Object.fromEntries(sumNames.map((name, i) => [name, row[i]!])) as unknown as ClassSums;
}

/** Counts that no comparison gives are damage. */
export function isClassRow(row: unknown): row is ClassRow {
  if (!Array.isArray(row) || row.length !== sumNames.length) return false;
  if (!row.every((value) => typeof value === 'number')) return false;
  const { cosine, ...counts } = classSums(row as ClassRow);
  const { passes, invalid, agreement, top1 } = counts;
  const areWhole = Object.values(counts).every((value) => Number.isSafeInteger(value) && value >= 0);
  return areWhole && Number.isFinite(cosine) && Math.max(agreement, top1) + invalid <= passes;
}
