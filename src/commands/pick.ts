/** `critmap pick`: which layers lie below or above a threshold, as a list for another tool. */
import type { CommandModule } from 'yargs';
import { pickFormats } from '../pick/formats.js';
import { text } from './option-values.js';
import type { PickArguments } from './pick-job.js';

export const pickCommand: CommandModule<object, PickArguments> = {
  command: 'pick <run>',
  describe: 'List the layers below or above a threshold, to freeze, prune or quantise them with another tool',
  builder: (yargs) =>
    yargs
      .positional('run', {
        type: 'string',
        demandOption: true,
        describe: 'Directory that sweep has written (--out), or that of a study',
      })
      .option('below', {
        type: 'number',
        requiresArg: true,
        describe: 'Layers whose whole interval is below this, in percent',
      })
      .option('above', {
        type: 'number',
        requiresArg: true,
        describe: 'Layers whose whole interval is above this, in percent',
      })
      .option('metric', {
        choices: ['criticality', 'agreement'] as const,
        default: 'criticality' as const,
        describe: 'What is held against the threshold',
      })
      .option('reset', { ...text('reset'), describe: "Which of the run's resets (default: the first)" })
      .option('format', {
        choices: pickFormats,
        default: 'json' as const,
        describe: 'Words of which tool: an anchored regular expression, Python for PyTorch, NNCF or ModelOpt',
      })
      .option('model', { ...text('model'), describe: 'Of a study: which of its models, by its id' })
      .option('image-set', {
        ...text('image-set'),
        describe: 'Of a study: which of its sets of images (default: the first)',
      })
      .example('$0 pick runs/resnet50 --below 5 --format torch', 'freeze what hardly matters')
      .example('$0 pick runs/resnet50 --above 60 --format modelopt', 'do not quantise what matters') as never,
  handler: async (argv) => (await import('./pick-job.js')).pick(argv),
};
