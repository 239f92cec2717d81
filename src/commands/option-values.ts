/** Kinds of option values, with the one line that a wrong one gets. */
import { CritmapError } from '../errors.js';

const refuse = (option: string, text: unknown, wanted: string) =>
  new CritmapError('ERR_OPTION', `--${option} ${JSON.stringify(text)} is not ${wanted}`);

/** yargs gives an array when an option is repeated; the last one counts. */
const last = (value: unknown) => (Array.isArray(value) ? value.at(-1) : value);

/** A whole number from `least`. */
export function count(option: string, least: number) {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): number => {
      const number = Number(last(value));
      if (!Number.isSafeInteger(number) || number < least || last(value) === '') {
        throw refuse(option, value, `a whole number from ${least}`);
      }
      return number;
    },
  };
}

/** The I-th of N parts. */
export function shardValue() {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): { index: number; of: number } => {
      const [, index, of] = /^(\d{1,9})\/(\d{1,9})$/.exec(String(last(value))) ?? [];
      if (index === undefined || Number(index) < 1 || Number(index) > Number(of)) {
        throw refuse('shard', value, 'I/N with I from 1 to N');
      }
      return { index: Number(index), of: Number(of) };
    },
  };
}

/** A text that is not empty; of a repeated option the last one counts. */
export function text(option: string) {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): string => {
      const given = String(last(value));
      if (given === '') throw refuse(option, given, 'a name or path');
      return given;
    },
  };
}
