/**
 * Globs: `*` for any characters, `?` for one, `[abc]`, `[a-z]` and `[!abc]` for one of some, `{a,b}` and `{1..9}` for
 * one of several words, `\` before a character that means itself. Matching takes time in proportion to the lengths of
 * pattern and name, multiplied, whatever they hold: a regular expression of the same would take exponentially long.
 */
import { expand } from 'brace-expansion';

/** Words that braces may stand for. */
const MOST_WORDS = 10_000;

/** What a pattern's character asks of a name's; null is `*`. */
type Piece = ((character: string) => boolean) | null;

/** @returns whether a whole name matches */
export function glob(pattern: string): (name: string) => boolean {
  const words = pattern.includes('{') ? expand(pattern, { max: MOST_WORDS }) : [pattern];
  const patterns = words.map(piecesOf);
  return (name) => {
    const characters = [...name];
    return patterns.some((pieces) => matches(pieces, characters));
  };
}

/** The same for names of files: hidden ones only where the pattern begins with a dot. */
export function fileGlob(pattern: string): (name: string) => boolean {
  const isMatch = glob(pattern);
  return (name) => (pattern.startsWith('.') || !name.startsWith('.')) && isMatch(name);
}

function piecesOf(pattern: string): Piece[] {
  const characters = [...pattern];
  const pieces: Piece[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const end = character === '[' ? endOfClass(characters, at) : -1;
    if (character === '*') {
      if (pieces.at(-1) !== null || pieces.length === 0) pieces.push(null);
    } else if (character === '?') pieces.push(() => true);
    else if (end > 0) {
      pieces.push(oneOf(characters.slice(at + 1, end)));
      at = end;
    } else {
      const meant = character === '\\' && at + 1 < characters.length ? characters[++at] : character;
      pieces.push((found) => found === meant);
    }
  }
  return pieces;
}

/** Where the `]` is; one that comes first is one of the characters. -1 where there is none: then `[` means itself. */
function endOfClass(characters: readonly string[], start: number): number {
  const first = start + (/[!^]/.test(characters[start + 1] ?? '') ? 2 : 1);
  return characters.indexOf(']', first + 1);
}

function oneOf(inside: readonly string[]): (character: string) => boolean {
  const isNegated = inside[0] === '!' || inside[0] === '^';
  const listed = isNegated ? inside.slice(1) : inside;
  const ranges: [from: string, to: string][] = [];
  for (let at = 0; at < listed.length; at++) {
    const isRange = listed[at + 1] === '-' && at + 2 < listed.length;
    ranges.push([listed[at]!, listed[isRange ? at + 2 : at]!]);
    if (isRange) at += 2;
  }
  const code = (character: string) => character.codePointAt(0)!;
  return (found) =>
    ranges.some(([from, to]) => code(from) <= code(found) && code(found) <= code(to)) !== isNegated;
}

/** Every `*` takes as little as it can; only the last one that was met is ever asked to take more. */
function matches(pieces: readonly Piece[], name: readonly string[]): boolean {
  let [piece, at, star, retry] = [0, 0, -1, 0];
  while (at < name.length) {
    const wanted = pieces[piece];
    if (wanted === null) {
      star = piece++;
      retry = at;
    } else if (wanted?.(name[at]!)) {
      piece++;
      at++;
    } else if (star >= 0) {
      piece = star + 1;
      at = ++retry;
    } else return false;
  }
  while (pieces[piece] === null) piece++;
  return piece === pieces.length;
}
