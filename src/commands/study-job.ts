/** A study as a command does it: all of its sweeps with a live table, then what they come to. */
import { join } from 'node:path';
import { CritmapError, some } from '../errors.js';
import { native } from '../native/addon.js';
import { computingOn } from '../native/cards.js';
import type { OptionValues } from '../options.js';
import { throughQueue } from '../queue/coordinator.js';
import { offeredWords } from '../request/local-words.js';
import type { SweepWords } from '../request/open-sweep.js';
import { studyFiles } from '../run/study-plan.js';
import type { StudyLine } from '../study/events.js';
import { readStudy } from '../study/read-study.js';
import type { StudyResults } from '../study/results.js';
import { failedWords, type RunStudyOptions, runStudy, type StudyFailure } from '../study/run-study.js';
import type { Study } from '../study/study.js';
import { writeStudyResults } from '../study/write-results.js';
import { Interrupted, interruptible } from './interrupt.js';
import { serverIn } from './queue-options.js';
import { checkOf } from './study-check.js';
import { machineTable } from './study-options.js';
import { StudyProgress } from './study-progress.js';
import { StudyStream } from './study-stream.js';
import { studyText } from './study-text.js';
import { endOf } from './sweep-observer.js';
import { givenOf } from './table-options.js';
import { print, shown } from './terminal.js';

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
    const { lines, missing, refused } = shown(await checkOf(asked));
    print(`${lines.join('\n')}\n`);
    const faults = [
      ...(missing.length > 0 ? [`the study lacks what it needs: ${some(missing, 5)}`] : []),
      ...(refused.length > 0 ? [`sweeps cannot be computed: ${some(refused, 5)}`] : []),
    ];
    if (faults.length === 0) return;
    throw new CritmapError('ERR_STUDY', faults.join('; '));
  }
  if (out === undefined) {
    throw new CritmapError('ERR_OPTION', '--out is missing; give the directory for the study');
  }
  // Without it every sweep would fail, for one reason.
  native();
  const stream = argv.json ? new StudyStream(argv.quiet, { name: asked.name, out }) : null;
  try {
    for (const { words } of asked.sweeps) computingOn(words.sweepChoices);
    let count = 0;
    const begin = (places: readonly string[]) => {
      count = places.length;
    };
    const failures = await compute(asked, out, argv, stream ?? new StudyProgress(asked, argv.quiet), begin);
    if (!shard) {
      const results = await writeStudyResults(out);
      if (!stream) printResults(results, out);
    } else if (!stream) {
      print(`shard ${shard.index} of ${shard.of} is done: ${shown(out)}\n`);
      print('critmap merge SHARD... --out DIR puts shards together\n');
    }
    stream?.send({
      event: 'done',
      out,
      results: shard ? null : join(out, studyFiles.results),
      failures: failures.map(({ place, ...failure }) => ({ sweep: place, ...failure })),
    });
    // The stream has ended: nothing is sent of it any more.
    if (failures.length > 0) throw new Failed(failures, count);
  } catch (error) {
    if (!(error instanceof Failed)) stream?.send(endOf(error) as StudyLine);
    throw error;
  }
}

/** Sweeps failed, of a study that came to its end. */
class Failed extends CritmapError {
  constructor(failures: readonly StudyFailure[], all: number) {
    super('ERR_STUDY', failedWords(failures, all));
  }
}

/** Whoever is told how a study goes. */
type Listener = Pick<StudyProgress, 'begin' | 'told' | 'note' | 'finish'>;

function compute(
  asked: Study,
  out: string,
  argv: StudyArguments,
  listener: Listener,
  onBegin: (places: readonly string[]) => void,
): Promise<StudyFailure[]> {
  const { shard, command, force } = argv;
  return interruptible((signal) =>
    runStudy(asked, {
      ...{ out, shard, signal, command, force },
      ...(argv.queue && queued(argv, listener)),
      onTasks: (tasks) => {
        const places = tasks.map(({ place }) => place);
        onBegin(places);
        listener.begin(places);
      },
      onEvent: (event) => listener.told(event),
    })
      .catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
        throw new Interrupted(`interrupted; repeat the command to go on with ${out}`);
      })
      .finally(() => listener.finish()),
  );
}

export function printResults(results: StudyResults, out: string): void {
  print(`${shown(studyText(results)).join('\n')}\n\n`);
  print(`results  ${shown(join(out, studyFiles.results))}, ${studyFiles.table}, ${studyFiles.parquet}\n`);
}

function queued(argv: StudyArguments, listener: Listener): Partial<RunStudyOptions> {
  const server = serverIn(argv);
  return {
    atOnce: QUEUED_AT_ONCE,
    computerOf: ({ sweep }) =>
      throughQueue({
        server,
        job: offeredWords(sweep.words),
        onMessage: (message) => listener.note(message),
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
