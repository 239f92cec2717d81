/** Tables with a column for each class, 1 where an image is of it and 0 elsewhere, as ISIC's are. */

export interface OneHot {
  /** Of the columns, in their order: that of the classes. */
  readonly positions: readonly number[];
  /** The first row without exactly one 1; null where all rows are right. */
  readonly wrong: number | null;
}

const BIT = /^[01](?:\.0*)?$/;

/**
 * @param rows - without the head line
 * @param others - positions of columns that do not name the images
 * @returns null unless two columns or more have nothing but 0 and 1
 */
export function oneHotColumns(
  rows: readonly (readonly string[])[],
  others: readonly number[],
): OneHot | null {
  const positions = others.filter((position) => rows.every((cells) => BIT.test(cells[position] ?? '')));
  if (positions.length < 2 || rows.length === 0) return null;
  const wrong = rows.findIndex((cells) => onesIn(cells, positions).length !== 1);
  return { positions, wrong: wrong === -1 ? null : wrong };
}

/** Which of the columns have a 1 in a row. */
export function onesIn(cells: readonly string[], positions: readonly number[]): number[] {
  return [...positions.keys()].filter((at) => Number(cells[positions[at]!]) === 1);
}
