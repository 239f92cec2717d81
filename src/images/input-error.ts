/** The sentences in which image files, arrays and labels are refused: what, what is wrong, what to do. */
import { CritmapError, oneLine } from '../errors.js';
import { fileProblem, lacksMemory } from '../files/problems.js';

/** The refusal of one file, whose problem can also be told in a list of many. */
export class ImageError extends CritmapError {
  /** What is wrong, without the file's name and what to do about it. */
  readonly problem: string;

  constructor(
    name: string,
    problem: string,
    readonly remedy: string,
    cause?: unknown,
  ) {
    super('ERR_IMAGES', `${name}: ${problem}; ${remedy}`, cause === undefined ? undefined : { cause });
    this.problem = oneLine(problem);
  }
}

/**
 * @param name - the file, as the user can find it
 * @param problem - what is wrong with it
 * @param remedy - what to do
 */
export function imageError(name: string, problem: string, remedy: string, cause?: unknown): ImageError {
  return new ImageError(name, problem, remedy, cause);
}

/** An option that makes no sense, alone or with this source and this model. */
export function optionError(message: string): CritmapError {
  return new CritmapError('ERR_OPTION', message);
}

/** The refusal for a failed file operation on `name`. */
export function fileError(name: string, thrown: unknown): ImageError {
  return imageError(name, ...fileProblem(thrown), thrown);
}

/**
 * The refusal of an image that could not be decoded.
 * @param problem - of the reason
 */
export function decodingError(
  name: string,
  problem: (reason: string) => string,
  thrown: unknown,
): ImageError {
  if (lacksMemory(thrown)) return fileError(name, thrown);
  const remedy = 'replace it, take it out or give --skip-bad-images';
  const [reason] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
  return imageError(name, problem(reason!), remedy, thrown);
}
