/** Layers' names as a reader wants them on an axis: `layer3.2.conv2` with its weight becomes `layer3.2 conv2 3×3`. */
import { distinct, printable, shorten } from '../report/text.js';

/** What is known of a layer besides its name. */
export interface NamedLayer {
  layer: string;
  /** Of the weight; empty where it is not known. */
  shape: readonly number[];
}

const LONGEST = 34;
const wordsOf = (name: string) => name.split(/[./]/).filter((word) => word !== '');
const isNumber = (word: string) => /^\d+$/.test(word);

/** Leading words that most names begin with and that say nothing, like `vit.encoder`. */
function sharedWords(names: readonly string[][]): number {
  for (let count = 0; ; count++) {
    const first = names.find((words) => words.length > count + 2)?.slice(0, count + 1);
    if (!first || isNumber(first[count]!)) return count;
    const sharing = names.filter(
      (words) => words.length > count + 1 && first.every((word, i) => words[i] === word),
    );
    if (sharing.length <= 0.6 * names.length) return count;
  }
}

/** @returns a label for each, distinct, in their order */
export function layerLabels(layers: readonly NamedLayer[]): string[] {
  const names = layers.map(({ layer }) => wordsOf(printable(layer)));
  const shared = sharedWords(names);
  const prefix = names.find((words) => words.length > shared + 1)?.slice(0, shared) ?? [];
  const labels = names.map((words, i) => {
    const isShared = shared > 0 && words.length > shared && prefix.every((word, at) => words[at] === word);
    const own = isShared ? words.slice(shared) : words;
    const end = own.length > 1 && isNumber(own.at(-1)!) && !isNumber(own.at(-2)!) ? own.slice(0, -1) : own;
    const block = end.findLastIndex(isNumber);
    const place = (block >= 0 ? end.slice(block + 1) : end).filter((word, at, all) => word !== all[at - 1]);
    const name =
      block >= 0 ? [end.slice(0, block + 1).join('.'), place.join('.')].join(' ').trim() : place.join('.');
    return `${shorten(name, LONGEST)}${kernelOf(layers[i]!.shape)}`;
  });
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  // Where two became equal, each keeps the name it has.
  return distinct(labels.map((label, i) => (counts.get(label) === 1 ? label : printable(layers[i]!.layer))));
}

function kernelOf(shape: readonly number[]): string {
  return shape.length > 2 ? ` ${shape.slice(2).join('×')}` : '';
}
