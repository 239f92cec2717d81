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
import { unknownArguments } from './unknown-arguments.js';
import { verifyCommand } from './verify.js';
import { workerCommand } from './worker.js';

/** What was typed is no command, or not one of its options. */
export class UsageError extends Error {
  readonly exitCode = 2;

  /** @param command - where its options are in question */
  constructor(message: string, command?: string) {
    const what = command === undefined ? 'commands and options' : 'its options';
    super(`${message} (critmap ${command === undefined ? '' : `${command} `}--help lists ${what})`);
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

/** What commands are called, without the arguments that follow. */
const names = commands.map(({ command }) => String(command).split(' ')[0]!);

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
      .fail((message, error, usage) => {
        // What is typed is not whole yet.
        if (isCompleting) return;
        // yargs wraps what a bad option value threw.
        if (error && error.name !== 'YError') throw error;
        const said = message ?? error.message;
        // Not in its types: what the command's help is made of.
        const { getDescriptions } = usage as unknown as { getDescriptions?(): Record<string, unknown> };
        const options = Object.keys(getDescriptions?.() ?? {});
        const [command = ''] = words;
        throw new UsageError(
          unknownArguments(said, words, options) ?? said,
          names.includes(command) ? command : undefined,
        );
      })
      .parseAsync();
  await parse().catch(async (error) => {
    // The shell completes names of files.
    if (isCompleting) return;
    if (words[0] === 'study' && error instanceof UsageError) await refuseStudyOptions(words);
    // yargs passes by `fail` what an option's value threw where a command's options are made asynchronously.
    throw (error as Error | null)?.name === 'YError' ? new UsageError(messageOf(error)) : error;
  });
  if (!isCompleting) await run?.();
}

/** @throws UsageError that names the options which belong into the study's file */
async function refuseStudyOptions(words: readonly string[]): Promise<void> {
  const { nameInStudy } = await import('../study/option-words.js');
  const { machineTable } = await import('./study-options.js');
  const found = words.flatMap((word) => {
    const option = /^--[a-z-]+/.exec(word)?.[0];
    const name = option === undefined ? null : nameInStudy(option);
    return option === undefined || name === null || Object.hasOwn(machineTable, name)
      ? []
      : [`${option} is set in the study's file, as ${name}`];
  });
  if (found.length > 0) throw new UsageError(found.join('; '), 'study');
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
