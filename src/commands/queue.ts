/** `critmap queue`: a sweep that workers compute, and what a queue is doing. */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';

interface StatusArguments {
  status?: boolean;
  json: boolean;
  redis?: string;
}

/** With it nothing is swept, and no option of a sweep is asked for. */
const isStatus = () => process.argv.includes('--status');

export const queueCommand: CommandModule = {
  command: 'queue [model]',
  describe: 'Sweep through a queue: workers on any machines compute, this one collects (critmap worker)',
  builder: async (yargs) => {
    const { redisOption } = await import('./queue-options.js');
    const status = {
      status: {
        type: 'boolean',
        group: 'Queue:',
        describe: 'Show what is in the queue, and sweep nothing',
      },
    } as const;
    const json = { json: { type: 'boolean', default: false, describe: 'As JSON' } } as const;
    if (isStatus()) return yargs.options(redisOption).options(status).options(json);
    const { withSweepOptions } = await import('./sweep-options.js');
    return withSweepOptions(yargs.options(redisOption).options(status) as Argv<object>);
  },
  handler: async (argv) => {
    const { runQueue, showStatus } = await import('./queue-job.js');
    const asked = argv as ArgumentsCamelCase<StatusArguments>;
    if (asked.status) await showStatus(asked);
    else await runQueue(argv);
  },
};
