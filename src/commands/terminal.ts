/** What goes to a terminal: names come from files of others, which may hold what steers one. */
import { WriteStream } from 'node:tty';
import { UNPRINTABLE } from '../errors.js';
import { printable } from '../report/text.js';

/** The same, with every string in it fit to be shown. */
export function shown<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T;
  if (Array.isArray(value)) return value.map(shown) as T;
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(one)])) as T;
}

/** JSON that is as safe: what would steer a terminal is escaped, the values are the same. */
export function json(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent);
  return `${text.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character)))}\n`;
}

const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, i) => {
    const code = character.charCodeAt(i).toString(16).padStart(4, '0');
    return `\\u${code}`;
  }).join('');

export function print(text: string): void {
  process.stdout.write(text);
}

/**
 * Bits of colour that may be printed; 1 is none. `FORCE_COLOR` (0 to 3) decides, also for a pipe; else `NO_COLOR`, where
 * it is not empty (no-color.org), and then the terminal.
 */
export function colourDepth(
  stream: Pick<NodeJS.WriteStream, 'isTTY'> = process.stdout,
  { ...env }: NodeJS.ProcessEnv = process.env,
): number {
  if (env.FORCE_COLOR === undefined && (env.NO_COLOR || !stream.isTTY)) return 1;
  // Node takes an empty one too, and warns where both are set.
  delete env.NO_COLOR;
  return WriteStream.prototype.getColorDepth(env);
}
