/**
 * Text that came from a file (layer and model names, paths) made fit to show: control characters become
 * visible, long names are shortened without two of them turning equal where that can be avoided, and HTML is
 * escaped. Nothing here depends on the locale.
 */
import { UNPRINTABLE } from '../errors.js';

export { DASH } from '../page/numbers.js';

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes text for an HTML element or a quoted attribute, after {@link printable}. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => HTML_ENTITIES[character]!);
}

/**
 * Replaces what could steer a terminal or reorder a line (control, format and separator characters, lone
 * surrogates) with U+FFFD, so that a name can neither colour the table nor forge a row of it.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\uFFFD');
}

const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** Columns a printable text takes in a terminal: 2 for wide East Asian characters, 0 for combining marks. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (!/\p{M}/u.test(character)) columns += WIDE.test(character) ? 2 : 1;
  }
  return columns;
}

/** The longest start of `text` that fits `width` columns. */
function takeStart(text: string, width: number): string {
  let taken = '';
  let columns = 0;
  for (const character of text) {
    columns += columnsOf(character);
    if (columns > width) break;
    taken += character;
  }
  return taken;
}

/** The longest end of `text` that fits `width` columns. */
function takeEnd(text: string, width: number): string {
  const backwards = [...text].reverse().join('');
  return [...takeStart(backwards, width)].reverse().join('');
}

/** `text` in at most `width` columns, with … in place of its middle. */
export function shorten(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  if (width < 2) return width === 1 ? '…' : '';
  const end = Math.ceil((width - 1) / 2);
  return `${takeStart(text, width - 1 - end)}…${takeEnd(text, end)}`;
}

/** The longest run of leading path components, with its final dot or slash, that most of the names share. */
function commonPath(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (const { index } of name.matchAll(/[./]/g)) {
      const path = name.slice(0, index + 1);
      counts.set(path, (counts.get(path) ?? 0) + 1);
    }
  }
  const shared = [...counts].filter(([, count]) => count > names.length / 2).map(([path]) => path);
  return shared.reduce((longest, path) => (path.length > longest.length ? path : longest), '');
}

/**
 * Printable names of at most `width` columns. Where names are too long, the path most of them share goes first
 * (`vit.encoder.layer.0.output.dense` becomes `…0.output.dense`), because the middle holds the block number.
 */
export function shortenAll(names: readonly string[], width: number): string[] {
  const shown = names.map(printable);
  const long = new Set(shown.filter((name) => columnsOf(name) > width));
  const path = long.size > 1 ? commonPath([...long]) : '';
  return shown.map((name) =>
    path !== '' && name.startsWith(path)
      ? shorten(`…${name.slice(path.length)}`, width)
      : shorten(name, width),
  );
}

/** Makes labels distinct by numbering repeated ones: `a`, `a #2`; a chart's axis needs that. */
export function distinct(labels: readonly string[]): string[] {
  const taken = new Set<string>();
  return labels.map((label) => {
    let candidate = label.trim() === '' ? '(unnamed)' : label;
    for (let count = 2; taken.has(candidate); count++) candidate = `${label} #${count}`;
    taken.add(candidate);
    return candidate;
  });
}
