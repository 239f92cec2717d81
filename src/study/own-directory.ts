/** A study's directory, of which one process at a time is the writer: two would mix what they came to. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CritmapError, quoted, some } from '../errors.js';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { isTemporary, removeTemporary, replaceFile } from '../files/replace.js';
import { lock } from '../run/lock.js';
import { readPlan, type StudyPlan, studyFiles } from '../run/study-plan.js';

/**
 * Makes the directory, or takes the one of the same study, for as long as `work` goes on.
 * @throws CritmapError (ERR_STUDY) when it holds other files or another study, (ERR_RUN) when it cannot be written or
 *   another process writes there; what `work` throws
 */
export async function inStudyOf<T>(directory: string, plan: StudyPlan, work: () => Promise<T>): Promise<T> {
  try {
    await makeDirectory(resolve(directory));
    // Nothing is put into a directory of other files; what counts is what is there when the lock is held.
    await refuseOther(directory, plan.name);
  } catch (error) {
    throw error instanceof CritmapError ? error : cannotWrite(directory, error);
  }
  // Where there are no locks each run says so.
  const { release } = await lock(join(directory, studyFiles.lock));
  try {
    await refuseOther(directory, plan.name);
    await removeTemporary(directory);
    await replaceFile(join(directory, studyFiles.plan), `${JSON.stringify(plan, null, 1)}\n`);
    return await work();
  } finally {
    await release().catch((error) => Promise.reject(cannotWrite(directory, error)));
  }
}

/** @throws CritmapError (ERR_STUDY) when the directory holds other files, or another study */
async function refuseOther(directory: string, name: string): Promise<void> {
  const names = (await readdir(directory)).filter((one) => one !== studyFiles.lock && !isTemporary(one));
  if (names.length === 0) return;
  if (!names.includes(studyFiles.plan)) {
    throw new CritmapError(
      'ERR_STUDY',
      `${directory} already holds other files (${some(names, 3)}); choose an empty or new directory for --out`,
    );
  }
  const { name: other } = await readPlan(directory);
  if (other !== name) {
    throw new CritmapError(
      'ERR_STUDY',
      `${directory} holds another study, ${quoted(other)}; choose an empty or new directory for --out`,
    );
  }
}
