/** One reset's word, read; its donor is not loaded. */
import { CritmapError, messageOf } from '../errors.js';
import { type QuantizeGrid, quantizeGrids } from '../native/reset-rule.js';
import { singleWords } from './expand.js';
import { type Reset, resetForms } from './kinds.js';

export const NO_STRING = 'a reset to be parsed must be a string';

type WithDonor = Extract<Reset, { kind: 'interpolate' }>;

/** With the donor's file in the donor's place. */
export type ReadReset = Exclude<Reset, WithDonor> | (Omit<WithDonor, 'donor'> & { file: string });

/** What is wrong with a word of `--reset`, or with one of a list in it, that can be told without model and files. */
export function resetProblem(word: string): string | null {
  try {
    for (const text of singleWords(word)) readReset(text);
    return null;
  } catch (error) {
    return messageOf(error).replace(/^--reset /, '');
  }
}

/** @throws CritmapError (ERR_OPTION) */
export function readReset(text: string): ReadReset {
  if (typeof text !== 'string') throw new TypeError(NO_STRING);
  const at = text.indexOf('=');
  const kind = at < 0 ? text : text.slice(0, at);
  const argument = at < 0 ? undefined : text.slice(at + 1);
  const label = text;
  const refuse = (why: string) =>
    new CritmapError('ERR_OPTION', `--reset ${text}: ${why}; the forms are ${resetForms}`);
  const number = (name: string, value: string | undefined) => {
    const parsed = value === undefined || value.trim() === '' ? Number.NaN : Number(value);
    if (!Number.isFinite(Math.fround(parsed)))
      throw refuse(`${name} must be a number that a 32-bit float holds`);
    return parsed;
  };

  switch (kind) {
    case 'random':
    case 'zero':
    case 'shuffle':
    case 'skip':
    case 'mean':
      if (argument !== undefined) throw refuse(`${kind} takes no argument`);
      return { kind, label };
    case 'constant':
      return { kind, label, value: number('V', argument) };
    case 'noise': {
      const sigma = number('SIGMA', argument);
      if (sigma < 0) throw refuse('SIGMA must not be below 0');
      return { kind, label, sigma };
    }
    case 'quantize':
      if (!isGrid(argument)) throw refuse(`it takes ${quantizeGrids.join(', ')}`);
      return { kind, label, grid: argument };
    case 'prune':
    case 'prune-channels':
    case 'lowrank': {
      const fraction = number('FRACTION', argument);
      if (fraction < 0 || fraction > 1) throw refuse('FRACTION must be from 0 to 1');
      return { kind, label, fraction };
    }
    case 'donor':
      if (!argument) throw refuse('a file is missing');
      return { kind: 'interpolate', label, alpha: 0, file: argument };
    case 'interpolate': {
      const split = argument?.lastIndexOf('@') ?? -1;
      if (!argument || split < 1) throw refuse('FILE@ALPHA is missing');
      const [share, spread, ...others] = argument.slice(split + 1).split('~');
      if (others.length > 0) throw refuse('ALPHA~SIGMA is two numbers');
      const alpha = number('ALPHA', share);
      const sigma = spread === undefined ? undefined : number('SIGMA', spread);
      // Without noise there are no draws, and the words of one that has none are other ones.
      if (sigma !== undefined && !(Math.fround(sigma) > 0)) throw refuse('SIGMA must be above 0');
      const file = argument.slice(0, split);
      return { kind, label, alpha, file, ...(sigma !== undefined && { sigma }) };
    }
    default:
      throw refuse('there is no such reset');
  }
}

const isGrid = (text: string | undefined): text is QuantizeGrid =>
  (quantizeGrids as readonly (string | undefined)[]).includes(text);
