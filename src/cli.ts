#!/usr/bin/env node
/**
 * The command line: wires the commands, turns failures into one line and an exit code. Handlers import what they
 * compute with when they run, so that help and a mistyped option are answered at once.
 */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { architecturesCommand } from './commands/architectures.js';
import { demoCommand } from './commands/demo.js';
import { devicesCommand } from './commands/devices.js';
import { inspectCommand } from './commands/inspect.js';
import { Interrupted } from './commands/interrupt.js';
import { reportCommand } from './commands/report.js';
import { sweepCommand } from './commands/sweep.js';
import { verifyCommand } from './commands/verify.js';
import { CritmapError, messageOf } from './errors.js';
import { version } from './version.js';

const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

// Output cut short by `| head`, or a log viewer that has gone, must not end a sweep.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const parser = yargs(hideBin(process.argv))
  .scriptName('critmap')
  .usage('$0 COMMAND\n\nWhich layers does a trained vision model really use?')
  .command(sweepCommand)
  .command(inspectCommand)
  .command(reportCommand)
  .command(verifyCommand)
  .command(architecturesCommand)
  .command(devicesCommand)
  .command(demoCommand)
  .demandCommand(1, 'Give a command.')
  .recommendCommands()
  .strict()
  .version(version)
  .alias({ h: 'help' })
  .wrap(Math.min(100, process.stdout.columns ?? 100))
  .exitProcess(false)
  .fail((message, error) => {
    // yargs wraps what a bad option value threw.
    if (error && error.name !== 'YError') throw error;
    throw new UsageError(message ?? error.message);
  });

class UsageError extends Error {}

try {
  await parser.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof Interrupted) {
    process.stderr.write(`critmap: ${error.message}\n`);
    return EXIT.interrupted;
  }
  // yargs passes by `fail` what an option's value threw where a command's options are made asynchronously.
  if (error instanceof UsageError || (error as Error | null)?.name === 'YError') {
    process.stderr.write(`critmap: ${messageOf(error)} (critmap --help lists commands and options)\n`);
    return EXIT.usage;
  }
  process.stderr.write(`critmap: ${messageOf(error)}\n`);
  // An error that is not ours is a fault of critmap: its stack is worth more than a tidy screen.
  if (!(error instanceof CritmapError) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof CritmapError && error.code === 'ERR_OPTION' ? EXIT.usage : EXIT.failed;
}
