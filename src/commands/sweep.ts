/** `critmap sweep`: the main job. Its options come from the tables of images and sweeps. */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';
import type { SweepJob } from './sweep-job.js';

export const sweepCommand: CommandModule = {
  command: 'sweep [model]',
  describe: 'Reset every layer in turn and measure how far the predictions move',
  // The tables load what checks them, which no other command should wait for.
  builder: async (yargs) => (await import('./sweep-options.js')).withSweepOptions(yargs as Argv<object>),
  handler: async (argv) => {
    const [{ sweepJobOf }, { runSweep }] = await Promise.all([
      import('./sweep-options.js'),
      import('./sweep-job.js'),
    ]);
    const command = process.argv.slice(2);
    await runSweep({ ...(await sweepJobOf(argv as ArgumentsCamelCase<SweepJob>)), command });
  },
};
