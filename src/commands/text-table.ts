/** Rows of words in columns, for a terminal. */

/** @param isLeft - which columns begin together; the others, of numbers, end together */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isLeft: (column: number) => boolean = () => true,
): string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => (isLeft(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
