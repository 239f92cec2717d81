/** The sentence in which a checkpoint is refused: which file, what is wrong, what to do. */
import { CritmapError } from '../errors.js';

/**
 * @param file - as the user wrote it
 * @param problem - what is wrong with it
 * @param remedy - what to do
 */
export function weightsError(file: string, problem: string, remedy: string, cause?: unknown): CritmapError {
  const text = `${file}: ${problem}; ${remedy}`;
  return new CritmapError('ERR_WEIGHTS', text, cause === undefined ? undefined : { cause });
}
