/**
 * Blocks and stages by the names of layers: `layer1.0` and `layer1` of `layer1.0.conv1`, `stages.2.blocks.5` and
 * `stages.2`, `blocks.3` of a transformer, which has no stages. What is numbered says where they are. Pure.
 */

export interface NamePlace {
  /** Start of the name up to the block's number. */
  block: string;
  /** The same up to the stage's; null where there is but one level of numbers. */
  stage: string | null;
}

const isNumber = (word: string) => /^\d+$/.test(word);
const isNumbered = (word: string) => /\d$/.test(word);

/** @returns null for a layer that is in no block, as a stem or a head */
export function placeInNames(layer: string): NamePlace | null {
  const words = [...layer.matchAll(/[^./]+/g)].map((match) => ({
    word: match[0],
    end: match.index + match[0].length,
  }));
  const levels: number[] = [];
  // The last word is the layer's own.
  for (let i = 0; i < words.length - 1 && levels.length < 2; i++) {
    const { word } = words[i]!;
    if (!isNumbered(word)) continue;
    const last = levels.at(-1);
    if (
      last !== undefined &&
      !isBelow(
        words.map((one) => one.word),
        i,
        last,
      )
    )
      break;
    levels.push(i);
  }
  const [first, second] = levels;
  if (first === undefined) return null;
  const upTo = (i: number) => layer.slice(0, words[i]!.end);
  return second === undefined
    ? { block: upTo(first), stage: null }
    : { block: upTo(second), stage: upTo(first) };
}

/** Whether the numbered word `i` is a level of its own below the one at `last`, and not a part inside a block. */
function isBelow(words: readonly string[], i: number, last: number): boolean {
  if (i === last + 1) return isNumber(words[i]!) || !isNumber(words[last]!);
  if (!isNumber(words[i]!)) return false;
  // `stages.2.blocks.5`, but not `layer1.0.downsample.0` or `features.1.0.block.0`.
  return i === last + 2 && words[i - 1]!.endsWith('s');
}
