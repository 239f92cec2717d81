/** `critmap module-criticality`: how far each layer can go back to its initial weights, under how much noise. */
import type { Argv, CommandModule } from 'yargs';

export const moduleCriticalityCommand: CommandModule = {
  command: 'module-criticality [model]',
  describe: "Chatterji's module criticality of every layer, given the weights that training began with",
  builder: async (yargs) =>
    (await import('./module-criticality-options.js')).withModuleOptions(yargs as Argv<object>),
  handler: async (argv) => {
    const [{ moduleJobOf }, { runModuleCriticality }] = await Promise.all([
      import('./module-criticality-options.js'),
      import('./module-criticality-job.js'),
    ]);
    await runModuleCriticality({ ...moduleJobOf(argv), command: process.argv.slice(2) });
  },
};
