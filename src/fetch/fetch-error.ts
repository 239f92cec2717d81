/** Why something could not be fetched, in one sentence. */
import { CritmapError } from '../errors.js';

/** @param what what was asked for, as the person named it but without what may be a key */
export function fetchError(what: string, why: string, cause?: unknown): CritmapError {
  return new CritmapError('ERR_FETCH', `${what}: ${why}`, cause === undefined ? undefined : { cause });
}

/** The network or the other side was not there, or too busy: what was fetched before may do instead. */
export class Unreachable extends CritmapError {
  constructor(what: string, why: string, cause?: unknown) {
    super('ERR_FETCH', `${what}: ${why}`, { cause });
  }
}
