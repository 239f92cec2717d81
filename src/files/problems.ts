/** Why a file or a directory cannot be written, in words. */
import { CritmapError, messageOf } from '../errors.js';

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'files may not become that large here',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'it is a directory',
  EEXIST: 'there is a file of that name',
  ENOENT: 'its directory does not exist',
  ELOOP: 'it is a symbolic link',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EIO: 'the disk reports an error',
  ESTALE: 'the network file system has lost it',
};
const ELSEWHERE = 'choose another path for it (--out and the like)';
/** What helps: where the same command cannot succeed later, another place. */
const REMEDIES: Record<string, string> = {
  ENOSPC: 'make room and repeat the command',
  EDQUOT: 'make room and repeat the command',
  EFBIG: 'raise the limit (ulimit -f) and repeat the command',
  EMFILE: 'raise the limit (ulimit -n) and repeat the command',
  ENFILE: 'close other programs and repeat the command',
  EIO: 'check the disk and repeat the command',
  EACCES: ELSEWHERE,
  EPERM: ELSEWHERE,
  EROFS: ELSEWHERE,
  ENOTDIR: ELSEWHERE,
  EISDIR: ELSEWHERE,
  EEXIST: ELSEWHERE,
  ENOENT: ELSEWHERE,
  ELOOP: ELSEWHERE,
  ENAMETOOLONG: ELSEWHERE,
};

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code ?? '';

export function writeReason(error: unknown): string {
  // Parents are made first: then it is the place that takes no directory, as /proc.
  const isMaking = (error as NodeJS.ErrnoException | null)?.syscall === 'mkdir';
  if (isMaking && codeOf(error) === 'ENOENT') return 'no directory can be made there';
  return REASONS[codeOf(error)] ?? messageOf(error);
}

/** The refusal (ERR_RUN) to go on without what could not be written. */
export function cannotWrite(path: string, error: unknown): CritmapError {
  const remedy = REMEDIES[codeOf(error)];
  const text = [writeReason(error), ...(remedy ? [remedy] : [])].join('; ');
  return new CritmapError('ERR_RUN', `cannot write ${path}: ${text}`, { cause: error });
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
  ENOTREG: ['is not a regular file', 'save it to disk first'],
  ELOOP: ['is a symbolic link to itself', 'remove the link'],
  ENAMETOOLONG: ['has too long a path', 'check the path'],
  EMFILE: ['too many files are open', 'raise the limit (ulimit -n)'],
  ENFILE: ['too many files are open', 'close other programs'],
  ENOMEM: ['there is not enough memory', NEEDS_MEMORY],
  EIO: ['the disk reports an error', 'copy it elsewhere and check the disk'],
};
/** Bytes that are no UTF-8 reach us as U+FFFD, of which there is no way back. */
const NOT_UTF8: [problem: string, remedy: string] = [
  'cannot be opened: its name is not UTF-8, which Node.js cannot say',
  'rename it',
];

/** Why a file operation failed, and what to do. */
export function fileProblem(thrown: unknown): [problem: string, remedy: string] {
  if (lacksMemory(thrown)) return FILE_ERRORS.ENOMEM!;
  const { code = '', path } = (thrown ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path?.includes('\uFFFD')) return NOT_UTF8;
  return FILE_ERRORS[code] ?? [`cannot be read (${messageOf(thrown)})`, 'check the file and try again'];
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
