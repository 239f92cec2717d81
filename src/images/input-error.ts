/** The sentences in which image files, arrays and labels are refused: what, what is wrong, what to do. */
import { CritmapError, messageOf } from '../errors.js';

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
    const text = oneLine(`${name}: ${problem}; ${remedy}`);
    super('ERR_IMAGES', text, cause === undefined ? undefined : { cause });
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

const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

/** An option that makes no sense, alone or with this source and this model. */
export function optionError(message: string): CritmapError {
  return new CritmapError('ERR_OPTION', oneLine(message));
}

const NEEDS_MEMORY = 'close other programs or give the machine more memory';
const NO_MEMORY_CODES = ['ENOMEM', 'ERR_MEMORY', 'ERR_MEMORY_ALLOCATION_FAILED'];
const NO_FILES_CODES = ['EMFILE', 'ENFILE'];

const FILE_ERRORS: Record<string, [problem: string, remedy: string]> = {
  ENOENT: ['does not exist', 'check the path'],
  ENOTDIR: ['does not exist (part of the path is a file)', 'check the path'],
  EACCES: ['permission denied', 'make it readable for this user'],
  EPERM: ['permission denied', 'make it readable for this user'],
  EISDIR: ['is a folder, not a file', 'give the file'],
  ELOOP: ['is a symbolic link to itself', 'remove the link'],
  ENAMETOOLONG: ['has too long a path', 'check the path'],
  EMFILE: ['too many files are open', 'raise the limit (ulimit -n)'],
  ENFILE: ['too many files are open', 'close other programs'],
  ENOMEM: ['there is not enough memory', NEEDS_MEMORY],
  EIO: ['the disk reports an error', 'copy it elsewhere and check the disk'],
};

/** The refusal for a failed file operation on `name`. */
export function fileError(name: string, thrown: unknown): ImageError {
  return imageError(name, ...fileProblem(thrown), thrown);
}

/** Why a file operation failed, and what to do. */
export function fileProblem(thrown: unknown): [problem: string, remedy: string] {
  if (lacksMemory(thrown)) return FILE_ERRORS.ENOMEM!;
  const code = (thrown as NodeJS.ErrnoException | null)?.code ?? '';
  return FILE_ERRORS[code] ?? [`cannot be read (${messageOf(thrown)})`, 'check the file and try again'];
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

/** Whether something failed because the machine had no more memory, which is not the image's fault. */
export function lacksMemory(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (NO_MEMORY_CODES.includes((error as NodeJS.ErrnoException).code ?? '')) return true;
    // V8's and libvips' own, which have no code.
    if (/^Array buffer allocation failed|\bout of memory\b/i.test(error.message)) return true;
  }
  return false;
}

/** Whether something failed for what the machine had too little of, whatever image was being read. */
export function isTheMachines(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException | null | undefined)?.code ?? '';
  return NO_FILES_CODES.includes(code) || lacksMemory(thrown);
}
