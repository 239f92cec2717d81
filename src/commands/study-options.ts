/** What `critmap study` takes besides its file: where, what part, and how this machine computes. */
import type { Argv } from 'yargs';
import { imageOptions } from '../images/options.js';
import { withoutDefault } from '../options.js';
import { sweepOptions } from '../sweep/options.js';
import { shardValue, text } from './option-values.js';
import { redisOption } from './queue-options.js';
import { withTable } from './table-options.js';

const { device, precision, threads, batch } = sweepOptions;
const { cache, cacheSize } = imageOptions;

/** What is this machine's business, and not the study's. */
export const machineTable = {
  device: withoutDefault(device),
  precision: withoutDefault(precision),
  batch,
  threads,
  cache: withoutDefault(cache),
  cacheSize,
};

export function withStudyOptions(yargs: Argv<object>) {
  yargs
    .positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'study.yaml: models, sets of images, options (docs/study.md)',
    })
    .option('out', {
      ...text('out'),
      describe: 'Directory for all runs and results; a study that was stopped goes on there',
    })
    .option('check', {
      type: 'boolean',
      default: false,
      describe: 'Say what is there, what is missing and what it will cost; read no image and fetch nothing',
    })
    .option('shard', {
      ...shardValue(),
      describe:
        'Compute the I-th of N parts, I/N, in a directory of its own; critmap merge puts them together',
    })
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'Start over; runs that are in --out are kept aside as DIR.old-TIME',
    })
    .option('queue', {
      type: 'boolean',
      default: false,
      describe: 'Let the workers of a queue compute (critmap worker)',
    })
    .options(redisOption)
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'Print events as JSON, one a line, instead of progress and the table (docs/events.md)',
    })
    .option('quiet', { type: 'boolean', default: false, describe: 'Show no progress' });
  return withTable(yargs, machineTable)
    .example('$0 study study.yaml --check', 'what is there, and what it will cost')
    .example('$0 study study.yaml --out studies/resnet50', 'run it, or go on with it')
    .example('$0 study study.yaml --out shards/3 --shard 3/8', 'a part of it');
}
