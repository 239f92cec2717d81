/** What shells suggest for the last word: what yargs knows, and beginnings of values that are no fixed list. */

/** The word that yargs takes before those that are typed so far. */
const KEY = '--get-yargs-completions';

export const isCompletion = (words: readonly string[]) => words[0] === KEY;

/** The words as yargs is to see them, and what a suggestion is for the shell. */
export interface Typed {
  words: readonly string[];
  toShell: (suggestion: string) => string;
}

/**
 * `--norm=ke` is two words. bash cuts words at = and :, also `--norm`, `=`, `ke` and `quantize`, `=`, `in`, and replaces the last
 * piece alone.
 */
export function typedOf(given: readonly string[]): Typed {
  const words = [...given];
  let current = words.pop() ?? '';
  let cut = '';
  let before = '';
  for (let sign = words.at(-1); sign === '=' || sign === ':'; sign = words.at(-1)) {
    const isValue = sign === '=' && words.at(-2)?.startsWith('--');
    words.pop();
    if (isValue) break;
    cut = `${words.pop() ?? ''}${sign}${cut}`;
  }
  current = `${cut}${current}`;
  const [, option, value = ''] = /^(--[a-z-]+)=(.*)$/s.exec(current) ?? [];
  if (option !== undefined) {
    words.push(option);
    before = `${option}=`;
    current = value;
  }
  return {
    words: [...words, current],
    toShell: (suggestion) =>
      before + (suggestion.startsWith(cut) ? suggestion.slice(cut.length) : suggestion),
  };
}

/** Beginnings of an option's values. */
async function valuesOf(option: string | undefined): Promise<readonly string[] | null> {
  switch (option) {
    case '--arch':
      return (await import('../architectures/registry.js')).architectures().map(({ name }) => name);
    case '--device':
      return ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:all'];
    case '--group':
      return (await import('../design/groups.js')).groupings;
    case '--init':
      return (await import('../initialisation/scheme.js')).initSchemes;
    case '--per-image':
      return (await import('../run/image-numbers.js')).imageMetrics;
    case '--reset':
      return (await import('../resets/kinds.js')).resetForms.split(', ').flatMap(beginnings);
    default:
      return null;
  }
}

/** `prune=` of `prune=FRACTION`, all of `quantize=int8|int4|fp8`. */
function beginnings(form: string): string[] {
  const [kind = '', argument] = form.split('=');
  if (argument === undefined) return [kind];
  return argument.includes('|') ? argument.split('|').map((one) => `${kind}=${one}`) : [`${kind}=`];
}

/** Options whose values are lists with commas. */
const LISTS: ReadonlySet<string> = new Set(['--per-image']);

export type Suggest = (onSuggested: (error: Error | null, words: string[] | undefined) => void) => unknown;

/** What yargs suggests, but options only where one was begun: else the shell completes names of files. */
export async function completions(
  { words, toShell }: Typed,
  suggest: Suggest,
  done: (words: string[]) => void,
): Promise<void> {
  const current = words.at(-1) ?? '';
  const option = words.at(-2);
  const values = await valuesOf(option);
  if (values) {
    const list = LISTS.has(option!) ? current.slice(0, current.lastIndexOf(',') + 1) : '';
    const suggested = values.map((value) => list + value).filter((value) => value.startsWith(current));
    // zsh takes what is behind a colon for a description.
    const isZsh = process.env.SHELL?.includes('zsh') || process.env.ZSH_NAME?.includes('zsh');
    done(
      suggested.map((value) => toShell(value)).map((value) => (isZsh ? value.replaceAll(':', '\\:') : value)),
    );
    return;
  }
  const isOption = current.startsWith('-');
  suggest((_, found = []) =>
    done(found.filter((word) => (isOption ? word.startsWith(current) : !word.startsWith('-'))).map(toShell)),
  );
}
