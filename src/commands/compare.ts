/** `critmap compare`: how models differ from one of them, layer by layer, with control of errors over all of them. */
import type { CommandModule } from 'yargs';
import type { CompareArguments } from './compare-job.js';
import { text } from './option-values.js';

export const compareCommand: CommandModule<object, CompareArguments> = {
  command: 'compare <sources..>',
  describe: "Compare models layer by layer: runs, or tables like the published study's results.csv",
  builder: (yargs) =>
    yargs
      .positional('sources', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Run directories, the directory of a study, results.csv files',
      })
      .option('baseline', {
        ...text('baseline'),
        describe:
          'The model that the others are compared with (default: the one of the category baseline, or the first)',
      })
      .option('categories', { ...text('categories'), describe: 'JSON file: the category of each model' })
      .option('accuracies', { ...text('accuracies'), describe: 'JSON file: the accuracy of each model' })
      .option('attributes', {
        ...text('attributes'),
        describe: 'CSV file with a row per model: its name and numbers to correlate with',
      })
      .option('image-set', {
        ...text('image-set'),
        describe: 'Of a study: which of its sets of images (default: the first)',
      })
      .option('exclude', {
        type: 'string',
        array: true,
        nargs: 1,
        requiresArg: true,
        describe: 'Leave this model out (may be given several times)',
      })
      .option('confidence', { type: 'number', default: 0.95, describe: 'Confidence level of the intervals' })
      .option('limit', { type: 'number', default: 20, describe: 'How many differences the table shows' })
      .option('out', { ...text('out'), describe: 'CSV file for all differences' })
      .option('json', { type: 'boolean', default: false, describe: 'Print everything as JSON' })
      .example('$0 compare runs/* --baseline resnet50', 'every run with one of them')
      .example('$0 compare results.csv --categories r50_categories.json', 'the published raw data') as never,
  handler: async (argv) => (await import('./compare-job.js')).compare(argv),
};
