/** `critmap inspect`: what a model takes and gives, its layers, and how a sweep would go about it. */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';
import { CritmapError } from '../errors.js';
import type { InspectArguments } from './inspect-options.js';
import { ProgressLine } from './progress.js';

export const inspectCommand: CommandModule = {
  command: 'inspect [model]',
  describe: 'Show the layers of a model and how a sweep would go about it, or what images there are',
  builder: async (yargs) => (await import('./inspect-options.js')).withInspectOptions(yargs as Argv<object>),
  handler: async (parsed) => {
    const { ofDraws, ofImages, ofModels, ofPlans } = await import('./inspect-options.js');
    const argv = parsed as ArgumentsCamelCase<InspectArguments>;
    const isModelGiven = argv.model !== undefined || argv.arch !== undefined;
    if (argv.data !== undefined) {
      const plan = given(argv, ofPlans) ?? (argv.planOnly ? 'plan-only' : undefined);
      if (plan !== undefined)
        throw new CritmapError('ERR_OPTION', `--${plan} is of a plan for a model alone; leave out --data`);
      if (!isModelGiven) refuse(argv, ofModels, 'a model (a file or --arch NAME)');
      const { inspectData } = await import('./inspect-data.js');
      await inspectData({ ...argv, data: argv.data }, new ProgressLine(argv.json));
      return;
    }
    refuse(argv, ofImages, '--data SRC');
    const { isCardName } = await import('../native/cards.js');
    if (!isCardName(argv.device ?? 'auto')) refuse(argv, ofDraws, '--data SRC or --device cuda');
    if (!isModelGiven) {
      throw new CritmapError(
        'ERR_OPTION',
        'inspect takes a model (a file or --arch NAME), --data SRC or both',
      );
    }
    const { inspectModel } = await import('./inspect-model.js');
    await inspectModel(argv, new ProgressLine(argv.json));
  },
};

/** An option that nothing would read is a mistake. */
function refuse(argv: object, options: readonly string[], companion: string): void {
  const alone = given(argv, options);
  if (alone !== undefined) throw new CritmapError('ERR_OPTION', `--${alone} goes with ${companion}`);
}

/** The first of some options that is given. */
function given(argv: object, options: readonly string[]): string | undefined {
  const values = new Map<string, unknown>(Object.entries(argv));
  return options.find((option) => values.get(option) !== undefined);
}
