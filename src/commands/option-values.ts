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

/** A level of confidence. */
export function share(option: string) {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): number => {
      const number = Number(last(value));
      if (!(number >= 0.5 && number <= 0.9999)) throw refuse(option, value, 'a number from 0.5 to 0.9999');
      return number;
    },
  };
}

/** Comma-separated numbers, one per channel. */
export function numbers(option: string) {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): number[] => {
      const parts = String(last(value)).split(',');
      const parsed = parts.map(Number);
      if (parts.some((part) => part.trim() === '') || !parsed.every(Number.isFinite)) {
        throw refuse(option, value, 'a list of numbers such as 0.485,0.456,0.406');
      }
      return parsed;
    },
  };
}

/** Comma-separated globs; the option may be repeated. */
export function globs(option: string) {
  return {
    type: 'string' as const,
    requiresArg: true,
    coerce: (value: unknown): string[] => {
      const list = [value]
        .flat()
        .flatMap((text) => String(text).split(','))
        .map((glob) => glob.trim())
        .filter((glob) => glob !== '');
      // An unset shell variable must not mean all layers.
      if (list.length === 0) throw refuse(option, value, 'a list of layer names or globs');
      return list;
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

/** `all` or a whole number from 1. */
export function imageCount(value: unknown): number | 'all' {
  return last(value) === 'all' ? 'all' : count('images', 1).coerce(value);
}
