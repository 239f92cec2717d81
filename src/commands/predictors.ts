/** `critmap predictors`: what can be told of layers without resetting them, and how well it predicts. */
import type { Argv, CommandModule } from 'yargs';

export const predictorsCommand: CommandModule = {
  command: 'predictors [model]',
  describe: 'Cheap numbers of every layer (influence, change, stable rank, shares) beside its criticality',
  builder: async (yargs) =>
    (await import('./predictors-options.js')).withPredictorOptions(yargs as Argv<object>),
  handler: async (argv) => {
    const [{ predictorsJobOf }, { runPredictors }] = await Promise.all([
      import('./predictors-options.js'),
      import('./predictors-job.js'),
    ]);
    await runPredictors(predictorsJobOf(argv));
  },
};
