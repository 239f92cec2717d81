/** Why a file or a directory cannot be written, in words. */
import { CritmapError, messageOf } from './errors.js';

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'files may not become that large here (ulimit -f)',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'it is a directory',
  EEXIST: 'there is a file of that name',
  ENOENT: 'no directory can be made there',
};
/** Those that end without the command being another one. */
const ROOM = ['ENOSPC', 'EDQUOT', 'EFBIG'];

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code ?? '';

export function writeReason(error: unknown): string {
  return REASONS[codeOf(error)] ?? messageOf(error);
}

/** The refusal (ERR_RUN) to go on without what could not be written. */
export function cannotWrite(path: string, error: unknown): CritmapError {
  const remedy = ROOM.includes(codeOf(error)) ? '; make room and repeat the command' : '';
  return new CritmapError('ERR_RUN', `cannot write ${path}: ${writeReason(error)}${remedy}`, {
    cause: error,
  });
}
