/** `critmap verify`: some draws of a run, computed again by the published algorithm. */
import type { CommandModule } from 'yargs';
import { count, text } from './option-values.js';

interface VerifyArguments {
  run: string;
  cells: number;
  seed: number;
  threads: number | undefined;
  model: string | undefined;
  data: string | undefined;
  labels: string | undefined;
  'label-columns': string[] | undefined;
  json: boolean;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: 'verify <run>',
  describe: 'Compute some draws of a run again by the published algorithm, and compare',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'A run directory' })
      .option('cells', { ...count('cells', 1), default: 20, describe: 'How many draws' })
      .option('seed', { ...count('seed', 0), default: 0, describe: 'Which draws' })
      .option('threads', { ...count('threads', 1), describe: 'Threads; default all cores' })
      .option('model', { ...text('model'), describe: "Where the run's model is now, if it was moved" })
      .option('data', { ...text('data'), describe: "Where the run's images are now, if they were moved" })
      .option('labels', { ...text('labels'), describe: 'As the sweep was given them' })
      .option('label-columns', {
        ...text('label-columns'),
        coerce: (columns: string | undefined) => columns?.split(','),
        describe: 'As the sweep was given them',
      })
      .option('json', { type: 'boolean', default: false, describe: 'As JSON' })
      .example('$0 verify runs/resnet50 --cells 50', 'fifty draws of a run'),
  handler: async (argv) => {
    const { verify } = await import('./verify-job.js');
    if (!(await verify({ ...argv, labelColumns: argv['label-columns'] }))) process.exitCode = 1;
  },
};
