/** `critmap doctor`: what of this machine critmap can use, what is wrong, and what to do about it. */
import type { CommandModule } from 'yargs';
import { version } from '../version.js';
import { colourDepth, json, print, shown } from './terminal.js';

const MARKS = { ok: ['ok', '32'], note: ['note', '33'], problem: ['PROBLEM', '31'] } as const;

export const doctorCommand: CommandModule<object, { json: boolean }> = {
  command: 'doctor',
  describe: 'Look whether critmap can run here, and say what to do where it cannot',
  builder: (yargs) => yargs.option('json', { type: 'boolean', default: false, describe: 'Print as JSON' }),
  handler: async ({ json: asJson }) => {
    const { doctor } = await import('../doctor/doctor.js');
    const { stdout } = process;
    const depth = colourDepth();
    const coloured = (text: string, code: string) => (depth > 1 ? `\u001B[${code}m${text}\u001B[0m` : text);
    const checks = [];
    for await (const check of doctor({
      isTerminal: stdout.isTTY === true,
      columns: stdout.columns ?? null,
      depth,
    })) {
      checks.push(check);
      if (asJson) continue;
      // At once, so that what ends the process shows.
      const { title, state, found, remedy } = shown(check);
      const [mark, code] = MARKS[state];
      print(`${coloured(mark.padEnd(8), code)}${title.padEnd(17)}${found}\n`);
      if (remedy !== null) print(`${' '.repeat(25)}-> ${remedy}\n`);
    }
    const canSweep = checks.every(({ state }) => state !== 'problem');
    if (asJson) print(json({ critmap: version, canSweep, checks }, 1));
    else print(`\n${canSweep ? 'critmap can run sweeps here.' : 'critmap cannot run sweeps here.'}\n`);
    if (!canSweep) process.exitCode = 1;
  },
};
