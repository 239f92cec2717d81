/** Fields of CSV files: numbers in their shortest exact form, null as an empty field. */
export type Field = string | number | null;

/** One field, quoted where RFC 4180 asks for it. */
export function csvField(value: Field): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
