/** What is said of words that a command does not know: each once, as it was typed, with the option that it may stand for. */
import { quoted } from '../errors.js';
import { meantBy } from '../meant.js';

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
  const near = meantBy(/^--(?:no-)?(.+)$/.exec(word)?.[1] ?? '', known);
  return near === null ? null : `--${near}`;
}
