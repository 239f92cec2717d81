/** A study as a command does it: all of its sweeps with a live table, then what they come to. */
import { join } from 'node:path';
import { CritmapError } from '../errors.js';
import { computingOn } from '../native/cards.js';
import type { OptionValues } from '../options.js';
import { throughQueue } from '../queue/coordinator.js';
import { offeredWords } from '../request/local-words.js';
import type { SweepWords } from '../request/open-sweep.js';
import { studyFiles } from '../run/study-plan.js';
import { readStudy } from '../study/read-study.js';
import type { StudyResults } from '../study/results.js';
import { failedError, type RunStudyOptions, runStudy } from '../study/run-study.js';
import type { Study } from '../study/study.js';
import { writeStudyResults } from '../study/write-results.js';
import { Interrupted, interruptible } from './interrupt.js';
import { serverIn } from './queue-options.js';
import { checkText } from './study-check.js';
import { machineTable } from './study-options.js';
import { StudyProgress } from './study-progress.js';
import { studyText } from './study-text.js';
import { givenOf } from './table-options.js';
import { json, print, shown } from './terminal.js';

type Machine = OptionValues<typeof machineTable>;

export interface StudyArguments extends Machine {
  file: string;
  out?: string | undefined;
  check: boolean;
  shard?: { index: number; of: number } | undefined;
  force: boolean;
  queue: boolean;
  redis?: string | undefined;
  json: boolean;
  quiet: boolean;
  command: readonly string[];
}

/** Sweeps through a queue at a time: while one's last parts are computed, the next one's are offered. */
const QUEUED_AT_ONCE = 3;

/** @throws Interrupted after Ctrl-C; CritmapError (ERR_STUDY) for a file that is wrong, or when sweeps failed */
export async function study(argv: StudyArguments): Promise<void> {
  const { file, out, shard } = argv;
  const asked = onThisMachine(await readStudy(file), givenOf(machineTable, { ...argv }));
  if (argv.check) {
    print(`${shown(await checkText(asked)).join('\n')}\n`);
    return;
  }
  if (out === undefined) {
    throw new CritmapError('ERR_OPTION', '--out is missing; give the directory for the study');
  }
  for (const { words } of asked.sweeps) computingOn(words.sweepChoices);
  const progress = new StudyProgress(asked, argv.quiet);
  const failures = await interruptible((signal) =>
    runStudy(asked, {
      ...{ out, shard, signal, command: argv.command, force: argv.force },
      ...(argv.queue && queued(argv, progress)),
      onEvent: (event) => progress.tell(event),
    })
      .catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${out}`);
      })
      .finally(() => progress.end()),
  );
  if (shard) {
    print(`shard ${shard.index} of ${shard.of} is done: ${shown(out)}\n`);
    print('critmap merge SHARD... --out DIR puts shards together\n');
  } else {
    printResults(await writeStudyResults(out), out, argv.json);
  }
  if (failures.length > 0) throw failedError(failures, progress.count);
}

export function printResults(results: StudyResults, out: string, asJson: boolean): void {
  if (asJson) print(json(results));
  else {
    print(`${shown(studyText(results)).join('\n')}\n\n`);
    print(`results  ${shown(join(out, studyFiles.results))}, ${studyFiles.table}, ${studyFiles.parquet}\n`);
  }
}

function queued(argv: StudyArguments, progress: StudyProgress): Partial<RunStudyOptions> {
  const server = serverIn(argv);
  return {
    atOnce: QUEUED_AT_ONCE,
    computerOf: ({ sweep }) =>
      throughQueue({
        server,
        job: offeredWords(sweep.words),
        onMessage: (message) => progress.note(message),
      }),
  };
}

/** How this machine computes counts more than what the file says of it. */
function onThisMachine(study: Study, { cache, cacheSize, ...computing }: Machine): Study {
  const ofImages = Object.fromEntries(
    Object.entries({ cache, cacheSize }).filter(([, value]) => value !== undefined),
  );
  return {
    ...study,
    sweeps: study.sweeps.map(({ words, ...sweep }) => ({
      ...sweep,
      words: {
        ...words,
        imageChoices: { ...words.imageChoices, ...ofImages },
        sweepChoices: { ...words.sweepChoices, ...computing },
      } as SweepWords,
    })),
  };
}
