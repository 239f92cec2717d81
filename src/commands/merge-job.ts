/** A merge as a command does it: what lacks is told with the commands that compute it. */
import { join } from 'node:path';
import { isStudy } from '../compare/from-study.js';
import { files } from '../run/run.js';
import { mergeStudies } from '../study/merge-study.js';
import { IncompleteRuns, mergeRuns } from '../sweep/merge.js';
import { printResults } from './study-job.js';
import { printResult } from './sweep-job.js';
import { json, print, shown } from './terminal.js';
import { writeReport } from './write-report.js';

export interface MergeJob {
  runs: readonly string[];
  out: string;
  force: boolean;
  json: boolean;
}

/** @throws CritmapError for runs that are not of one sweep, or lack a part of it */
export async function merge({ runs, out, force, json: asJson }: MergeJob): Promise<void> {
  const options = {
    force,
    onWarning: (message: string) => void process.stderr.write(`warning: ${shown(message)}\n`),
  };
  try {
    if (runs.some(isStudy)) {
      const results = await mergeStudies(runs, out, options);
      if (asJson) print(json(results));
      else printResults(results, out);
      return;
    }
    const { summary } = await mergeRuns(runs, out, options);
    await writeReport([summary], join(out, files.report));
    if (asJson) print(json(summary));
    else printResult({ summary }, out);
  } catch (error) {
    if (error instanceof IncompleteRuns) {
      print(`to compute what is missing:\n${error.commands.map((line) => `  ${shown(line)}\n`).join('')}`);
    }
    throw error;
  }
}
