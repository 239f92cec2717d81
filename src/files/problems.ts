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
};
/** What helps where the same command can succeed later. */
const REMEDIES: Record<string, string> = {
  ENOSPC: 'make room and repeat the command',
  EDQUOT: 'make room and repeat the command',
  EFBIG: 'raise the limit (ulimit -f) and repeat the command',
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
