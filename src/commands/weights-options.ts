/** The options that say where a model's weights are from, and what `inspect` says of them. */
import type { Options } from 'yargs';
import { CritmapError } from '../errors.js';
import type { LoadedWeights } from '../model/model.js';
import { largest } from '../statistics/extremes.js';

export const weightsOptions = {
  weights: {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    coerce: (given: string[] | undefined) => {
      if (given?.includes('')) throw new CritmapError('ERR_OPTION', '--weights "" is not a name or path');
      return given;
    },
    describe:
      "Put a checkpoint's weights (safetensors or PyTorch) in place of the model's; FILE#model_ema chooses among several, hf:OWNER/NAME and https://... are fetched; repeat it for a second file",
  },
  rename: {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    describe:
      "Rename the tensors of --weights: 'REGEX=REPLACEMENT', where $1 is the first group; repeat it for more",
  },
  'allow-partial': {
    type: 'boolean',
    describe: 'Load what fits of --weights; without it every parameter must be there',
  },
} as const satisfies Record<string, Options>;

/** The files, and which of their tensors became which parameter. */
export function weightsText({ files, mapping, missing, unexpected, misfit }: LoadedWeights): string[] {
  const rows = mapping.map(({ parameter, shape, type, file, key, transposed }) => [
    parameter,
    shape.join('x'),
    `${files.length > 1 ? `${file + 1}: ` : ''}${key}`,
    type + (transposed ? ', transposed' : ''),
  ]);
  const widths = [0, 1, 2].map((column) =>
    largest(
      rows.map((row) => row[column]!.length),
      0,
    ),
  );
  const name = ({ file, key }: { file: number; key: string }) =>
    files.length > 1 ? `${file + 1}: ${key}` : key;
  return [
    ...files.map(
      ({ path, format, place, renames }, i) =>
        `weights ${files.length > 1 ? `${i + 1}: ` : ''}${path}: ${format}, in ${place}${renames ? `, renamed by ${renames.join(' and ')}` : ''}`,
    ),
    ...rows.map((row) =>
      `        ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
    ),
    ...list('missing', missing),
    ...list('misshapen', misfit),
    ...list('unexpected', unexpected.map(name)),
  ];
}

const list = (what: string, items: readonly string[]) => items.map((item) => `        ${what}: ${item}`);
