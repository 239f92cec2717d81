/** Which model a command is for: an ONNX file, or a built-in architecture. */
import type { Argv, Options } from 'yargs';
import { endOptions } from './end-options.js';
import { count, text } from './option-values.js';
import { weightsOptions } from './weights-options.js';

const architectureOptions = {
  arch: {
    ...text('arch'),
    describe: 'Take a built-in architecture instead of MODEL; critmap architectures lists them',
  },
  classes: { ...count('classes', 1), describe: 'How many classes --arch gets (default 1000)' },
  channels: {
    ...count('channels', 1),
    describe:
      'How many channels the images have: those of --arch (default 3), or of a file that does not say',
  },
  size: {
    ...count('size', 1),
    describe: 'Height and width of the images in pixels: for --arch (default 224), or a file that takes any',
  },
} as const satisfies Record<string, Options>;

/** All of them, for a command that takes a model. */
export const modelOptions = { ...architectureOptions, ...weightsOptions, ...endOptions };

/** Adds the model itself and its options. */
export const withModel = (yargs: Argv<object>): Argv<object> =>
  yargs
    .positional('model', {
      type: 'string',
      describe:
        'An ONNX file, or a folder with config.json and weights; or hf:OWNER/NAME or https://... of either',
    })
    .options(modelOptions)
    .group(Object.keys(modelOptions), 'Model:');
