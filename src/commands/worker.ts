/** `critmap worker`: computes what others have put into a queue. */
import type { CommandModule } from 'yargs';
import { count, text } from './option-values.js';

interface WorkerArguments {
  redis?: string | undefined;
  models: string;
  data: string;
  threads?: number | undefined;
  idle?: number | undefined;
  lock: number;
}

const group = 'Queue:';

export const workerCommand: CommandModule<object, WorkerArguments> = {
  command: 'worker',
  describe: 'Compute sweeps that others have put into a queue (critmap queue); start as many as you like',
  builder: async (yargs) => {
    const { redisOption } = await import('./queue-options.js');
    return yargs
      .options(redisOption)
      .option('models', {
        ...text('models'),
        group,
        default: '.',
        describe: 'The folder that has the models, checkpoints and donors of the sweeps',
      })
      .option('data', { ...text('data'), group, default: '.', describe: 'The folder that has the images' })
      .option('threads', {
        ...count('threads', 1),
        group,
        describe: 'How many threads compute (default: as many as may run at once)',
      })
      .option('idle', {
        ...count('idle', 1),
        group,
        describe: 'End when there has been nothing to do for so many seconds (default: never)',
      })
      .option('lock', {
        ...count('lock', 1),
        group,
        default: 30,
        describe: 'Seconds without a sign of life after which what a worker had is given to another',
      })
      .example('$0 worker --redis redis://host --models models/ --data val/', 'until Ctrl-C') as never;
  },
  handler: async (argv) => (await import('./worker-job.js')).runWorker(argv),
};
