/**
 * Classes as people write them, to a model's outputs: an index from 0, one of ImageNet's synsets (n01440764), or a name.
 * Names count in sorted order, as torchvision's ImageFolder has it, and so do synsets of another set than ImageNet's.
 */
import { imagenetOutput, imagenetSynsets } from '../imagenet.js';
import { imageError } from '../input-error.js';
import { compareCodePoints } from '../sources/folder-listing.js';
import { MAX_LABEL } from '../sources/label-array.js';

/** The class of one image, or of none that is there. */
export interface ClassText {
  readonly text: string;
  /** What errors call it. */
  readonly place: string;
  /** Whether an image needs it; others only tell which classes there are. */
  readonly isNeeded: boolean;
}

export interface Classes {
  /** One for each text; 0 for those that are not needed and are none. */
  readonly labels: Int32Array;
  /** Of all classes by index, where they have names. */
  readonly names: readonly string[] | null;
  /** What they were taken for. */
  readonly as: string;
}

const INDEX = /^[+-]?\d+(?:\.0*)?$/;
const SYNSET = /^n\d{8}$/;
/** From how many rows on a class of its own for each is no class. */
const FEW_ROWS = 20;

/**
 * @param outputs - of the model, if that is known
 * @throws CritmapError ERR_IMAGES when one that is needed is no class
 */
export function classesOf(texts: readonly ClassText[], outputs: number | undefined, file: string): Classes {
  const needed = texts.filter(({ isNeeded }) => isNeeded);
  const empty = needed.find(({ text }) => text === '');
  if (empty) throw imageError(empty.place, 'has no class', 'write one, or take the image out');
  const given = texts.filter(({ text }) => text !== '');
  const numbers = given.filter(({ text }) => INDEX.test(text)).length;
  const synsets = given.filter(({ text }) => SYNSET.test(text)).length;
  if (numbers + synsets === given.length) {
    const distinct = new Set(given.map(({ text }) => text));
    const isOtherSet = numbers === 0 && outputs === distinct.size && outputs !== imagenetSynsets.length;
    if (!isOtherSet) return byNumber(texts, numbers > 0, synsets > 0);
  } else if (numbers > 0) {
    const one = given.find(({ text }) => !INDEX.test(text))!;
    throw imageError(
      one.place,
      `"${shown(one.text)}" is not a class index, as others are`,
      'correct the line',
    );
  }
  return byName(texts, synsets === given.length ? 'synsets' : 'names', file);
}

function byNumber(texts: readonly ClassText[], hasNumbers: boolean, hasSynsets: boolean): Classes {
  const labels = Int32Array.from(texts, ({ text, place, isNeeded }) => {
    const label = SYNSET.test(text) ? imagenetOutput(text) : Number(text);
    const isLabel = label !== undefined && label >= 0 && label <= MAX_LABEL;
    if (isLabel) return label;
    if (!isNeeded) return 0;
    const wanted =
      label === undefined ? "one of ImageNet's 1,000 synsets" : `a class index from 0 to ${MAX_LABEL}`;
    throw imageError(place, `"${shown(text)}" is not ${wanted}`, 'correct the line');
  });
  const kinds = [...(hasNumbers ? ['indices'] : []), ...(hasSynsets ? ["ImageNet's synsets"] : [])];
  return { labels, names: hasNumbers ? null : imagenetSynsets, as: kinds.join(' and ') };
}

function byName(texts: readonly ClassText[], kind: 'names' | 'synsets', file: string): Classes {
  const names = [...new Set(texts.map(({ text }) => text).filter((text) => text !== ''))];
  if (names.length === texts.length && texts.length > FEW_ROWS) {
    throw imageError(
      file,
      `every row has a class of its own (${shown(names[0]!)}, ${shown(names[1]!)}, ...)`,
      'choose another column by --label-columns',
    );
  }
  names.sort(compareCodePoints);
  const indices = new Map(names.map((name, index) => [name, index]));
  const labels = Int32Array.from(texts, ({ text }) => indices.get(text) ?? 0);
  return { labels, names, as: `${names.length} ${kind} in sorted order` };
}

const shown = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}...` : text);
