/** A cell's rows as the addon's comparison has them: an array a metric, and counts. */
import type { Comparison } from '../src/native/addon.js';
import { type ColumnName, columns, ImageRows } from '../src/native/columns.js';

export function comparisonOf(rows: ImageRows): Comparison {
  const { images, invalid, agreement } = rows.sums();
  const of = (name: ColumnName) => rows.column(name);
  return {
    ...{ images, invalid, agreement, cosine: of('cosine'), l1: of('l1'), l2: of('l2'), kl: of('kl') },
    ...{ js: of('js'), agree: Uint8Array.from(of('agree')), invalidRows: Uint8Array.from(of('invalid')) },
    publishedCrossEntropy: of('publishedCrossEntropy'),
    ...(rows.labelled && {
      ...{ top1: Uint8Array.from(of('top1')), top5: Uint8Array.from(of('top5')), loss: of('loss') },
    }),
  };
}

/** Rows of one number per image and metric. */
export function rowsOf(
  images: number,
  values: (name: ColumnName, image: number) => number,
  labelled = false,
) {
  const rows = Float64Array.from({ length: images * columns.length }, (_, i) =>
    values(columns[i % columns.length]!.name, Math.floor(i / columns.length)),
  );
  return new ImageRows([{ rows, first: 0, count: images }], labelled);
}

/** Float32 of other kernels: a few of 6e-8, amplified a dozen layers long. */
export const NEAR = 1e-4;

/** Logits, a row for each image, as the addon compares them. */
export const block = (rows: readonly number[][]) => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]?.length ?? 0] as [number, number],
});

/** The largest difference of one image's numbers. */
export const apart = (a: Comparison, b: Comparison): number =>
  Math.max(
    ...(['cosine', 'l1', 'l2', 'js'] as const).flatMap((name) =>
      [...a[name]].map((value, i) => Math.abs(value - b[name][i]!)),
    ),
  );
