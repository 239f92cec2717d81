/** `critmap merge`: shards of a sweep into one run. */
import type { CommandModule } from 'yargs';
import { text } from './option-values.js';

interface MergeArguments {
  runs: string[];
  out: string;
  force: boolean;
  json: boolean;
}

export const mergeCommand: CommandModule<object, MergeArguments> = {
  command: 'merge <runs..>',
  describe: 'Put shards of a sweep or of a study together',
  builder: (yargs) =>
    yargs
      .positional('runs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Directories that sweep --shard or study --shard has written, in any order',
      })
      .option('out', { ...text('out'), demandOption: true, describe: 'Directory for the whole run or study' })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'Keep a run that is in --out aside (DIR.old-TIME) and start over',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the summary as JSON' })
      .example('$0 merge shards/* --out runs/resnet50', 'a sweep from all of its shards'),
  handler: async (argv) => {
    const { merge } = await import('./merge-job.js');
    await merge(argv);
  },
};
