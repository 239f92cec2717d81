#!/usr/bin/env node
/**
 * The command line's outermost frame: whatever fails, also what nobody thought of, becomes one line and an exit code.
 * `CRITMAP_DEBUG=1` shows where it came from. All else is loaded inside of it, since loading can fail too.
 */
import { CritmapError, messageOf, oneLine } from './errors.js';
import { lacksMemory, writeReason } from './files/problems.js';
import { openFilesLimit } from './machine.js';

const EXIT = { failed: 1, usage: 2 } as const;
/** With fewer, Node.js says of packages that they are not there. */
const FEW_FILES = 256;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Cut short by `| head`: the rest of the work is done all the same.
  if (error.code === 'EPIPE') return;
  say(`cannot write to stdout: ${writeReason(error)}`);
  process.exitCode ??= EXIT.failed;
});
// A terminal that was closed, a full log: there is nobody to tell.
process.stderr.on('error', () => {});
// A rejection that nobody handles comes here too.
process.on('uncaughtException', (error) => process.exit(report(error)));

try {
  const { runCommand } = await import('./commands/parser.js');
  await runCommand(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}

/** @returns the exit code */
function report(error: unknown): number {
  say(lineOf(error));
  if (process.env.CRITMAP_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  const { exitCode } = (error ?? {}) as { exitCode?: unknown };
  if (typeof exitCode === 'number') return exitCode;
  return error instanceof CritmapError && error.code === 'ERR_OPTION' ? EXIT.usage : EXIT.failed;
}

function say(line: string): void {
  process.stderr.write(`critmap: ${oneLine(line)}\n`);
}

function lineOf(error: unknown): string {
  const message = messageOf(error);
  // A command's own ends: misused, interrupted.
  if (error instanceof CritmapError || typeof (error as { exitCode?: unknown })?.exitCode === 'number') {
    return message;
  }
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'EMFILE' || (code === 'ERR_MODULE_NOT_FOUND' && openFilesLimit() < FEW_FILES)) {
    return `only ${openFilesLimit()} files may be open at once, which are too few; raise the limit (ulimit -n 1024)`;
  }
  if (lacksMemory(error)) {
    return `there is not enough memory (${message}); take smaller images or batches (--crop, --batch), or another machine`;
  }
  return `${message} (an error that critmap does not know; CRITMAP_DEBUG=1 shows where it comes from)`;
}
