/** `critmap study`: many models on many sets of images, from one file. */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';
import type { StudyArguments } from './study-job.js';

export const studyCommand: CommandModule = {
  command: 'study <file>',
  describe: 'Sweep many models on many sets of images, as a YAML file says',
  builder: async (yargs) => (await import('./study-options.js')).withStudyOptions(yargs as Argv<object>),
  handler: async (argv) => {
    const { study } = await import('./study-job.js');
    await study({
      ...(argv as unknown as ArgumentsCamelCase<StudyArguments>),
      command: process.argv.slice(2),
    });
  },
};
