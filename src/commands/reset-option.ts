/** `--reset`, the same in every command that takes it. */
import type { Options } from 'yargs';
import { resetOption } from '../sweep/options.js';

/** Where none is given. */
export const usualResets = resetOption.def.defaultValue as string[];

export const resetOptions = {
  // Repeated, not separated by commas: a file's name may have one. Numbers behind a kind are.
  reset: {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    // A default would stand in for a value that was forgotten.
    defaultDescription: JSON.stringify(usualResets),
    group: 'What is measured:',
    describe: resetOption.meta()?.description,
  },
} as const satisfies Record<string, Options>;
