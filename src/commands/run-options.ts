/** What commands that write a run take besides the directory. */
import type { Options } from 'yargs';
import { text } from './option-values.js';

/** Their heading. */
export const results = 'Results:';

export const runOptions = {
  name: { ...text('name'), group: results, describe: 'What the model is called in the results' },
  force: {
    type: 'boolean',
    default: false,
    group: results,
    describe: 'Start over; a run that is in --out is kept aside as DIR.old-TIME',
  },
  quiet: { type: 'boolean', default: false, group: results, describe: 'Show no progress' },
} as const satisfies Record<string, Options>;
