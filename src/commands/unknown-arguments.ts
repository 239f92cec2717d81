/** What is said of words that a command does not know: each once, as it was typed, with the option that it may stand for. */
import { closest, distance } from 'fastest-levenshtein';
import { quoted } from '../errors.js';

/** Of so many letters of a word, how many may be wrong for it to be taken for another. */
const mostWrong = (word: string) => Math.max(1, Math.floor(word.length / 3));

const isName = (option: string) => option.length > 1;
const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * @param message - of yargs, which names an option with dashes a second time, in camel case
 * @param words - of the command line
 * @param options - that the command has; one of several words also in camel case
 * @returns null where the message is about something else
 */
export function unknownArguments(
  message: string,
  words: readonly string[],
  options: readonly string[],
): string | null {
  const [, list] = /^Unknown arguments?: (.+)$/s.exec(message) ?? [];
  if (list === undefined) return null;
  const typed = words.map((word) => ({ word, name: /^--?(?:no-)?([^=]+)/.exec(word)?.[1] ?? word }));
  const named = list.split(', ').flatMap((name) => {
    const found = typed.find((one) => one.name === name || one.word === `--${name}`);
    return found ? [found.word.startsWith('-') ? found.word.replace(/=.*/s, '') : quoted(found.word)] : [];
  });
  const shown = named.length > 0 ? [...new Set(named)] : [list];
  const known = options.map(dashed).filter(isName);
  const near = shown.flatMap((word) => nearestOption(word, known) ?? []);
  const hint = near.length > 0 ? `; did you mean ${[...new Set(near)].join(', ')}?` : '';
  return `Unknown argument${shown.length > 1 ? 's' : ''}: ${shown.join(', ')}${hint}`;
}

function nearestOption(word: string, known: readonly string[]): string | null {
  const name = /^--(?:no-)?(.+)$/.exec(word)?.[1];
  if (name === undefined || known.length === 0) return null;
  // `--image`, `--label`: the beginning of a name is nearer than another word of that length.
  const begun = known.filter((option) => option.startsWith(name) && name.length > 2);
  const near = closest(name, begun.length > 0 ? begun : [...known]);
  return begun.length > 0 || distance(name, near) <= mostWrong(name) ? `--${near}` : null;
}
