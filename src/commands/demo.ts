/** `critmap demo`: the whole thing on the shipped models and images. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { CommandModule } from 'yargs';
import { packageRoot } from '../version.js';

/** Of the package; relative, as one would type it. */
const study = () => relative(process.cwd(), join(packageRoot, 'examples', 'fashion', 'study.yaml'));

/** The first of `name`, `name-2`, ... that is not there: a demo always shows the computing. */
function freshDirectory(name: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}-${n}`;
    if (!existsSync(candidate)) return candidate;
  }
}

export const demoCommand: CommandModule<object, { out: string | undefined; quiet: boolean }> = {
  command: 'demo',
  describe: 'Run a study of nine shipped models on shipped images, up to the map',
  builder: (yargs) =>
    yargs
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'Directory for the results (default: runs/demo, or runs/demo-2 and so on)',
      })
      .option('quiet', { type: 'boolean', default: false, describe: 'Show no progress' }),
  handler: async ({ out = freshDirectory('runs/demo'), quiet }) => {
    const file = study();
    const page = join(out, 'report.html');
    process.stdout.write(
      [
        'One small ResNet, trained in nine ways on Fashion-MNIST, and 1,000 images that none of them has seen.',
        'Each layer in turn is reset to random weights, new ones for every 8 images, until it is known to',
        '3 points how far the predictions move. By hand:',
        '',
        `  critmap study ${file} --out ${out}`,
        `  critmap report ${out} --out ${page}`,
        '',
        '',
      ].join('\n'),
    );
    const { study: runStudy } = await import('./study-job.js');
    await runStudy({
      file,
      out,
      quiet,
      ...{ check: false, force: false, queue: false, json: false, command: [] },
    });
    process.stdout.write('\n');
    const { printReport } = await import('./report-text.js');
    await printReport([out]);
    process.stdout.write('\n');
    const { reportOf } = await import('./report-job.js');
    await reportOf([out], page);
  },
};
