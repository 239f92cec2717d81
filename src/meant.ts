/** What a mistyped word may stand for. */
import { closest, distance } from 'fastest-levenshtein';

/** How many letters may be wrong for a word to be taken for another. */
const mostWrong = ({ length }: string) => (length > 3 ? Math.max(2, Math.ceil(length / 3)) : 1);

/** The known word that is meant, or null where none is near. Of a word's beginning, `image`, it is the word, `images`. */
export function meantBy(word: string, known: readonly string[]): string | null {
  const begun = word.length > 2 ? known.filter((one) => one.startsWith(word)) : [];
  const [first] = known;
  if (first === undefined) return null;
  const near = closest(word, begun.length > 0 ? begun : [...known]);
  return begun.length > 0 || distance(word, near) <= mostWrong(word) ? near : null;
}
