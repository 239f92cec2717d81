/** The page of one sweep, and files whose folders are made. */
import { dirname, resolve } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { writeOutput } from '../files/replace.js';
import type { Summary } from '../run/summary.js';

/** @throws CritmapError (ERR_RUN) when the file cannot be written */
export async function writeReport(
  summaries: readonly Summary[],
  path: string,
  title?: string,
): Promise<void> {
  // Figures take a quarter of a second to load, which no other command should wait for.
  const { reportHtml } = await import('../report/html.js');
  await writeInto(path, await reportHtml(summaries, title === undefined ? {} : { title }));
}

/** Also makes its folder. */
export async function writeInto(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await makeDirectory(dirname(resolve(path)));
  } catch (error) {
    throw cannotWrite(path, error);
  }
  await writeOutput(path, content);
}
