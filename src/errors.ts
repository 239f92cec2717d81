/**
 * The one error class of critmap's own failures. Misuse of the API (a wrong type, a length that does not
 * fit) is a TypeError or RangeError instead, thrown where the call was made.
 */
export type CritmapErrorCode =
  /** A model file is missing, unreadable, damaged or of a kind critmap does not support. */
  | 'ERR_MODEL'
  /** A checkpoint is missing, unreadable, damaged, refused for what it holds, or does not fit the model. */
  | 'ERR_WEIGHTS'
  /** Images or labels are missing, unreadable, damaged or do not fit the model. */
  | 'ERR_IMAGES'
  /** An option does not make sense with this model or these images. */
  | 'ERR_OPTION'
  /** A reset changed nothing, or does not fit the layer. */
  | 'ERR_RESET'
  /** A run directory cannot be written, read or continued. */
  | 'ERR_RUN'
  /** A study's file is missing, damaged or wrong, or some of its sweeps failed. */
  | 'ERR_STUDY'
  /** A model or checkpoint that was named by its address cannot be fetched, or is not what it should be. */
  | 'ERR_FETCH'
  /** A queue's server cannot be used, or parts of a sweep failed again and again. */
  | 'ERR_QUEUE'
  /** The native addon or ONNX Runtime could not be loaded or failed. */
  | 'ERR_NATIVE';

/** A failure with one line for a person: what is wrong with which thing, and what to do. */
export class CritmapError extends Error {
  override readonly name = 'CritmapError';

  /**
   * @param code stable, for programs
   * @param message names the file or option; what a file put into it is kept on one line
   */
  constructor(
    readonly code: CritmapErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(oneLine(message), options);
  }
}

/** The message of anything that was thrown, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/**
 * What a file says may hold what steers a terminal, begins a line or reorders one: control, format and separator
 * characters, lone surrogates.
 */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\uFFFE\uFFFF]/gu;

/** A sentence that quotes what a file says. */
export const oneLine = (text: string) => text.replace(new RegExp(`${UNPRINTABLE.source}+`, 'gu'), ' ');

/** Characters of one item of a list. */
const LONGEST = 500;

/** Some of a list, and how many more there are. */
export function some(items: readonly string[], most = 5): string {
  const shown = items
    .slice(0, most)
    .map((item) => oneLine(item.slice(0, LONGEST)))
    .join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}

/** What a file says of itself, fit to be printed: quoted, on one line, not for ever. */
export function quoted(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  return JSON.stringify(oneLine(short));
}
