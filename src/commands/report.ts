/** `critmap report`: figures and tables of runs, studies and published tables. */
import type { CommandModule } from 'yargs';
import { text } from './option-values.js';
import type { ReportArguments } from './report-arguments.js';

const several = { type: 'string' as const, array: true, nargs: 1, requiresArg: true };

/** Without a file it is printed. */
type Asked = Omit<ReportArguments, 'out'> & { out: string | undefined };

export const reportCommand: CommandModule<object, Asked> = {
  command: 'report <sources..>',
  describe: 'Show runs, studies or published tables here, or put their tables and figures into files',
  builder: (yargs) =>
    yargs
      .positional('sources', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Run directories, the directory of a study, results.csv files',
      })
      .option('out', {
        ...text('out'),
        describe: 'File to write; figures go beside it, as NAME-FIGURE.svg (default: print to the terminal)',
      })
      .option('format', {
        ...text('format'),
        describe:
          'What to write, separated by commas: html, json (every statistic that is drawn), and each figure as svg, pdf, png (each with its Vega-Lite specification) (default: as --out ends, or html)',
      })
      .option('title', {
        ...text('title'),
        describe: 'Title of the page (default: the name of the model or study, or how many models there are)',
      })
      .option('categories', { ...text('categories'), describe: 'JSON file: the category of each model' })
      .option('accuracies', { ...text('accuracies'), describe: 'JSON file: the accuracy of each model' })
      .option('attributes', {
        ...text('attributes'),
        describe: 'CSV file with a row per model: its name, numbers, and norm or attack beside budget',
      })
      .option('exclude', { ...several, describe: 'Leave this model out (may be given several times)' })
      .option('baseline', {
        ...text('baseline'),
        describe: 'Show differences to this model (default: the one of the category baseline, or the first)',
      })
      .option('image-set', {
        ...text('image-set'),
        describe: 'Of a study: which of its sets of images (default: the first)',
      })
      .option('reset', {
        ...text('reset'),
        describe: 'Of several resets: the one to show (default: the first)',
      })
      .option('profile', {
        ...several,
        describe: 'Draw this model from layer to layer (may be given several times; default: the baseline)',
      })
      .option('width-mm', { ...text('width-mm'), describe: 'Width of the figures in mm' })
      .option('font-size', { ...text('font-size'), describe: 'Size of labels in points (default: 8.25)' })
      .option('transparent', {
        type: 'boolean',
        default: false,
        describe: 'Leave the ground of figures transparent',
      })
      .option('dark', {
        type: 'boolean',
        default: false,
        describe: 'Draw figures for a dark ground: the page follows the reader by itself',
      })
      .example('$0 report runs/resnet50 --out resnet50.html', 'the page of one sweep')
      .example(
        '$0 report studies/mine --out figures/mine --format pdf,json --width-mm 170 --font-size 7',
        'figures for a paper',
      ) as never,
  handler: async (argv) => {
    if (argv.out === undefined) {
      return (await import('./report-text.js')).printReport(argv.sources, argv.title);
    }
    await (await import('./report-job.js')).report({ ...argv, out: argv.out });
  },
};
