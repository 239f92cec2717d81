/** Which model a command is for: an ONNX file, or a built-in architecture. */
import type { Options } from 'yargs';
import { endOptions } from './end-options.js';
import { count, text } from './option-values.js';
import { weightsOptions } from './weights-options.js';

const architectureOptions = {
  arch: {
    ...text('arch'),
    describe: 'Take a built-in architecture instead of MODEL; critmap architectures lists them',
  },
  classes: { ...count('classes', 1), describe: 'How many classes --arch gets (default 1000)' },
  channels: { ...count('channels', 1), describe: "How many channels --arch's images have (default 3)" },
  size: { ...count('size', 1), describe: "Height and width of --arch's images in pixels (default 224)" },
} as const satisfies Record<string, Options>;

/** All of them, for a command that takes a model. */
export const modelOptions = { ...architectureOptions, ...weightsOptions, ...endOptions };
