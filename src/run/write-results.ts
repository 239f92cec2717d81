/** The results of a run, as files of its directory. */
import { drawsCsv } from './draws-csv.js';
import { resultsCsv } from './results-csv.js';
import { files, type OpenRun } from './run.js';
import type { Results } from './summarise.js';
import { summaryCsv } from './summary-csv.js';

/** @throws CritmapError (ERR_RUN) when one of them cannot be written */
export async function writeResults(run: OpenRun, results: Results): Promise<void> {
  const { summary, draws } = results;
  await run.write(files.summary, `${JSON.stringify(summary, null, 1)}\n`);
  await run.write(files.table, summaryCsv(summary));
  await run.write(files.draws, drawsCsv(draws));
  await run.write(files.results, resultsCsv(results));
}
