/** `critmap report`: one HTML file from one or many runs. */
import { dirname, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { writeOutput } from '../files/replace.js';
import type { Summary } from '../run/summary.js';
import { text } from './option-values.js';
import { print, shown } from './terminal.js';

export const reportCommand: CommandModule<
  object,
  { runs: string[]; out: string | undefined; title: string | undefined }
> = {
  command: 'report <runs..>',
  describe: 'Show one or many runs here, or put their tables and figures into one HTML file',
  builder: (yargs) =>
    yargs
      .positional('runs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Directories that sweep has written (--out); without --out also that of a study, and results.csv files',
      })
      .option('out', { ...text('out'), describe: 'HTML file to write (default: print to the terminal)' })
      .option('title', {
        ...text('title'),
        describe: 'Title of the page (default: the name of the model, or how many there are)',
      }),
  handler: async ({ runs, out, title }) => {
    if (out === undefined) return (await import('./report-text.js')).printReport(runs, title);
    const { readRun } = await import('../run/read-run.js');
    const read = await Promise.all(runs.map(readRun));
    await writeReport(
      read.map((run) => run.summary),
      out,
      title,
    );
    print(`report   ${shown(out)}\n`);
  },
};

/** @throws CritmapError (ERR_RUN) when the file cannot be written */
export async function writeReport(
  summaries: readonly Summary[],
  path: string,
  title?: string,
): Promise<void> {
  // Figures take a quarter of a second to load, which no other command should wait for.
  const { reportHtml } = await import('../report/html.js');
  const html = await reportHtml(summaries, title === undefined ? {} : { title });
  try {
    await makeDirectory(dirname(resolve(path)));
  } catch (error) {
    throw cannotWrite(path, error);
  }
  await writeOutput(path, html);
}
