/** Rows of words in columns, for a terminal. */
import { columnsOf } from '../report/text.js';
import { largest } from '../statistics/extremes.js';

/** @param isLeft - which columns begin together; the others, of numbers, end together */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isLeft: (column: number) => boolean = () => true,
): string[] {
  const widths = head.map((_, i) => largest([head, ...rows].map((row) => columnsOf(row[i]!))));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => {
        const room = ' '.repeat(widths[i]! - columnsOf(cell));
        return isLeft(i) ? cell + room : room + cell;
      })
      .join('  ')
      .trimEnd(),
  );
}
