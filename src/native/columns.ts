/**
 * What the comparison of an image's logits gives: the columns of the addon's rows, in their order, and what is summed of
 * them over images. They are written here once; journal, summaries and tables follow.
 */

/**
 * - `mean`: a number per image; summed over valid images, whose mean is of interest; `squares` are summed too
 * - `hits`: 0 or 1 per image; the part of all images that is hit is of interest
 * - `flag`: 0 or 1 per image, summed under another name
 *
 * `labelled` ones are there with labels only.
 */
interface Column {
  readonly name: string;
  readonly kind: 'mean' | 'hits' | 'flag';
  readonly labelled?: boolean;
  readonly squares?: boolean;
}

export const columns = [
  { name: 'cosine', kind: 'mean', squares: true },
  { name: 'l1', kind: 'mean' },
  { name: 'l2', kind: 'mean' },
  { name: 'kl', kind: 'mean' },
  { name: 'js', kind: 'mean' },
  { name: 'agree', kind: 'flag' },
  { name: 'invalid', kind: 'flag' },
  { name: 'publishedCrossEntropy', kind: 'mean' },
  { name: 'top1', kind: 'hits', labelled: true },
  { name: 'top5', kind: 'hits', labelled: true },
  { name: 'loss', kind: 'mean', labelled: true },
] as const satisfies readonly Column[];

export type ColumnName = (typeof columns)[number]['name'];
/** Columns with a mean or a share of their own: all but the flags. */
export type Measure = Exclude<(typeof columns)[number], { kind: 'flag' }>['name'];
type Labelled = Extract<(typeof columns)[number], { labelled: true }>['name'];

const all: readonly (Column & { name: ColumnName })[] = columns;
const isMeasure = (column: Column) => column.kind !== 'flag';
export const measures = all.filter(isMeasure) as readonly (Column & { name: Measure })[];

/** Sums over images: of valid ones, but `images`, `invalid` and `agreement`, which count all. */
export type Sums = {
  images: number;
  /** Images with a NaN or infinite logit, outside every sum. */
  invalid: number;
  agreement: number;
  cosineSquares: number;
} & { [K in Exclude<Measure, Labelled>]: number } & { [K in Labelled]?: number };

/** Names of sums in the order in which files have them, and whether they are there with labels only. */
export const sumNames = [
  { name: 'images' },
  { name: 'invalid' },
  { name: 'agreement' },
  ...measures.flatMap(({ name, labelled, squares }) => [
    { name, labelled },
    ...(squares ? [{ name: `${name}Squares`, labelled }] : []),
  ]),
] as readonly { name: keyof Sums; labelled?: boolean }[];

/** Rows of some images that follow each other: `count` rows from row `first` of `rows`. */
export interface RowPart {
  rows: Float64Array;
  first: number;
  count: number;
}

/** One cell's rows over a chunk of images, in their order, as the engine has written them. */
export class ImageRows {
  readonly images: number;

  constructor(
    private readonly parts: readonly RowPart[],
    /** Whether the labelled columns are there. */
    readonly labelled: boolean,
  ) {
    this.images = parts.reduce((sum, { count }) => sum + count, 0);
  }

  /** One number per image; NaN where a metric is not defined. */
  column(name: ColumnName): Float64Array {
    const at = columns.findIndex((column) => column.name === name);
    const values = new Float64Array(this.images);
    let image = 0;
    for (const { rows, first, count } of this.parts) {
      for (let i = first; i < first + count; i++) values[image++] = rows[i * columns.length + at]!;
    }
    return values;
  }

  /** Sums over images [from, to), added in their order. */
  sums(from = 0, to = this.images): Sums {
    const totals = new Float64Array(columns.length);
    const squares = new Float64Array(columns.length);
    let image = 0;
    for (const { rows, first, count } of this.parts) {
      const begin = Math.max(0, from - image);
      const end = Math.min(count, to - image);
      for (let i = begin; i < end; i++) addRow(rows, (first + i) * columns.length, totals, squares);
      image += count;
    }
    const sums: Record<string, number> = {
      images: Math.max(0, Math.min(to, this.images) - from),
      invalid: totals[INVALID]!,
      agreement: totals[AGREE]!,
    };
    for (const [c, { name, kind, labelled, squares: isSquared }] of all.entries()) {
      if (kind === 'flag' || (labelled && !this.labelled)) continue;
      sums[name] = totals[c]!;
      if (isSquared) sums[`${name}Squares`] = squares[c]!;
    }
    return sums as unknown as Sums;
  }
}

const AGREE = columns.findIndex(({ name }) => name === 'agree');
const INVALID = columns.findIndex(({ name }) => name === 'invalid');

function addRow(rows: Float64Array, at: number, totals: Float64Array, squares: Float64Array): void {
  totals[AGREE]! += rows[at + AGREE]!;
  totals[INVALID]! += rows[at + INVALID]!;
  if (rows[at + INVALID]) return;
  for (let c = 0; c < columns.length; c++) {
    if (c === AGREE || c === INVALID) continue;
    const value = rows[at + c]!;
    totals[c]! += value;
    squares[c]! += value * value;
  }
}
