/**
 * Fields of CSV files: numbers in their shortest exact form, null as an empty field. Text comes from files of others, and
 * a spreadsheet computes a field that begins like a formula: an apostrophe before it makes it text again.
 */
export type Field = string | number | null;

/** What a spreadsheet would compute, and what {@link csvField} has made text of, so that no two names become equal. */
const FORMULA = /^'*[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/;

/** One field, quoted where RFC 4180 asks for it. */
export function csvField(value: Field): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
