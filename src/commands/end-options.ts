/** The options that say which tensors of a graph are the images and the logits. */
import type { Options } from 'yargs';
import { text } from './option-values.js';

export const endOptions = {
  input: {
    ...text('input'),
    describe: 'Which of several inputs takes the images; the others get zeros',
  },
  output: {
    ...text('output'),
    describe: 'Which tensor holds the logits (default: the N x classes output that most layers lead to)',
  },
} as const satisfies Record<string, Options>;
