/**
 * How far a pattern that matches nothing is from a name, so that the nearest names can be suggested. A pattern is
 * compared with the part of a name that it comes nearest to: `*` stands for any text, and whole parts of the name
 * (between dots or slashes) before and after may be missing, as in `layer1` or `conv9`.
 */
/** Less than one letter, so that of equally near names the one that matches as a whole comes first. */
const PARTS_MISSING = 0.5;

const isSeparator = (letter: string | undefined) => letter === '.' || letter === '/';

/**
 * Letters to insert, delete or replace (Levenshtein) until the glob matches the name or some of its parts.
 * Time is the product of the lengths.
 */
export function distanceToName(pattern: string, name: string): number {
  // above[j]: from the pattern so far to the first j letters of the name.
  let above = Array.from({ length: name.length + 1 }, (_, j) =>
    j === 0 ? 0 : isSeparator(name[j - 1]) ? PARTS_MISSING : j,
  );
  for (const letter of pattern) {
    const isAny = letter === '*';
    const row = [above[0]! + (isAny ? 0 : 1)];
    for (let j = 1; j <= name.length; j++) {
      const replaced = above[j - 1]! + (isAny || letter === '?' || letter === name[j - 1] ? 0 : 1);
      const missing = above[j]! + (isAny ? 0 : 1);
      const inserted = row[j - 1]! + (isAny ? 0 : 1);
      row.push(Math.min(replaced, missing, inserted));
    }
    above = row;
  }
  const ends = above.filter((_, j) => isSeparator(name[j])).map((far) => far + PARTS_MISSING);
  return ends.reduce((least, end) => Math.min(least, end), above[name.length]!);
}

/** Up to three names, the nearest first; of equally near ones the first. */
export function nearestNames(pattern: string, names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, far: distanceToName(pattern, name) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ name }) => name);
}
