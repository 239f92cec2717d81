/** The sentence in which a checkpoint is refused: which file, what is wrong, what to do. */
import { CritmapError } from '../errors.js';

/**
 * @param file - as the user wrote it
 * @param problem - what is wrong with it
 * @param remedy - what to do
 */
export function weightsError(file: string, problem: string, remedy: string, cause?: unknown): CritmapError {
  const text = oneLine(`${file}: ${problem}; ${remedy}`);
  return new CritmapError('ERR_WEIGHTS', text, cause === undefined ? undefined : { cause });
}

/** What a file says of itself, fit to be printed: quoted, on one line, not for ever. */
export function quoted(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  return JSON.stringify(oneLine(short));
}

const LONGEST = 500;

/** Some of a list, and how many more there are. */
export function some(items: readonly string[], most = 5): string {
  const shown = items
    .slice(0, most)
    .map((item) => oneLine(item.slice(0, LONGEST)))
    .join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}

/** Control characters could move a terminal's cursor or begin a second line. */
const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
