/**
 * The command line's words: every command with its options. Handlers import what they compute with when they run, so
 * that help and a mistyped option are answered at once.
 */
import yargs, { type CommandModule } from 'yargs';
import { messageOf } from '../errors.js';
import { version } from '../version.js';
import { architecturesCommand } from './architectures.js';
import { compareCommand } from './compare.js';
import { completions, isCompletion, type Suggest, typedOf } from './completion.js';
import { demoCommand } from './demo.js';
import { devicesCommand } from './devices.js';
import { doctorCommand } from './doctor.js';
import { inspectCommand } from './inspect.js';
import { mergeCommand } from './merge.js';
import { moduleCriticalityCommand } from './module-criticality.js';
import { pickCommand } from './pick.js';
import { predictorsCommand } from './predictors.js';
import { queueCommand } from './queue.js';
import { reportCommand } from './report.js';
import { studyCommand } from './study.js';
import { sweepCommand } from './sweep.js';
import { verifyCommand } from './verify.js';
import { workerCommand } from './worker.js';

/** What was typed is no command, or not one of its options. */
export class UsageError extends Error {
  readonly exitCode = 2;

  constructor(message: string) {
    super(`${message} (critmap --help lists commands and options)`);
  }
}

const commands = [
  sweepCommand,
  inspectCommand,
  mergeCommand,
  studyCommand,
  reportCommand,
  compareCommand,
  pickCommand,
  moduleCriticalityCommand,
  predictorsCommand,
  queueCommand,
  workerCommand,
  verifyCommand,
  architecturesCommand,
  devicesCommand,
  doctorCommand,
  demoCommand,
] as unknown as CommandModule[];

/** What `--help` says behind the words, in lines of any length. */
export const helpOf = (words: readonly string[]): Promise<string> =>
  parser(words, commands).wrap(null).getHelp();

/** Runs the command that the words name. @throws UsageError, and what the command throws */
export async function runCommand(words: readonly string[]): Promise<void> {
  // When the words are understood: yargs lays out the whole help before it waits for a handler.
  let run: (() => unknown) | undefined;
  const later = (command: CommandModule): CommandModule => ({
    ...command,
    handler: (argv) => {
      run = () => command.handler(argv);
    },
  });
  const isCompleting = isCompletion(words);
  const parse = async () =>
    parser(words, commands.map(later))
      .fail((message, error) => {
        // What is typed is not whole yet.
        if (isCompleting) return;
        // yargs wraps what a bad option value threw.
        if (error && error.name !== 'YError') throw error;
        throw new UsageError(message ?? error.message);
      })
      .parseAsync();
  await parse().catch((error) => {
    // The shell completes names of files.
    if (isCompleting) return;
    // yargs passes by `fail` what an option's value threw where a command's options are made asynchronously.
    throw (error as Error | null)?.name === 'YError' ? new UsageError(messageOf(error)) : error;
  });
  if (!isCompleting) await run?.();
}

function parser(words: readonly string[], known: CommandModule[]) {
  const typed = typedOf(words);
  return yargs([...(isCompletion(words) ? typed.words : words)])
    .scriptName('critmap')
    .usage('$0 COMMAND\n\nWhich layers does a trained vision model really use?')
    .command(known)
    .completion(
      'completion',
      'Print a script that lets bash or zsh (as SHELL says) complete what is typed',
      (_: string, __: unknown, suggest: Suggest, done: (words: string[]) => void) =>
        completions(typed, suggest, done),
    )
    .demandCommand(1, 'Give a command.')
    .recommendCommands()
    .strict()
    .version(version)
    .alias({ h: 'help' })
    .wrap(Math.min(100, process.stdout.columns ?? 100))
    .exitProcess(false);
}
