/**
 * Fields of CSV files: numbers in their shortest exact form, null as an empty field. Text comes from files of others, and
 * a spreadsheet computes a field that begins like a formula: an apostrophe before it makes it text again.
 */
export type Field = string | number | null;

/** What a spreadsheet would compute, and what {@link csvField} has made text of, so that no two names become equal. */
const FORMULA = /^'*[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/;

/** Rows that are one string: a file may hold more than a string can (V8's is 2^29 - 24 characters at most). */
const ROWS_A_PIECE = 4096;

/** A whole file, piece by piece: its head and a line for each row, which is made when it is its turn. */
export function* csvPieces<Row>(
  head: readonly string[],
  rows: readonly Row[],
  fieldsOf: (row: Row) => readonly Field[],
): Generator<string> {
  yield `${head.join(',')}\n`;
  for (let from = 0; from < rows.length; from += ROWS_A_PIECE) {
    const lines = rows.slice(from, from + ROWS_A_PIECE).map((row) => fieldsOf(row).map(csvField).join(','));
    yield `${lines.join('\n')}\n`;
  }
}

/** One field, quoted where RFC 4180 asks for it. */
export function csvField(value: Field): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
