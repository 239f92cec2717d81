/** The class in a sample's `.cls` or `.json` file. */
import { imagenetOutput } from '../imagenet.js';
import { imageError } from '../input-error.js';
import { MAX_LABEL } from './label-array.js';

/** Where a .json file has it, the first that is there. */
const JSON_KEYS = ['cls', 'label', 'class', 'target'];

/**
 * @param text - a number, or one of ImageNet's synsets; of a .json file also an object with one under a usual name
 * @param name - what errors call the file
 * @returns null for a .json file that speaks of other things
 * @throws CritmapError ERR_IMAGES when it is no class index
 */
export function labelOfText(text: string, json: boolean, name: string): number | null {
  const value = json ? jsonValue(text, name) : text.trim();
  if (value === undefined || value === null) return null;
  const label = typeof value === 'number' ? value : toNumber(typeof value === 'string' ? value : '');
  if (Number.isInteger(label) && label >= 0 && label <= MAX_LABEL) return label;
  // Not the object's own text: it may be nested deeper than can be written out.
  const shown = typeof value === 'object' ? 'an object or a list' : `"${String(value).slice(0, 60)}"`;
  throw imageError(
    name,
    `${shown} is not a class index`,
    'write numbers from 0, or give --labels FILE or --labels none',
  );
}

function toNumber(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : (imagenetOutput(text) ?? Number.NaN);
}

function jsonValue(text: string, name: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw imageError(name, 'is not JSON', 'mend it, or give --labels none', thrown);
  }
  if (typeof value !== 'object' || value === null) return value;
  const key = JSON_KEYS.find((key) => Object.hasOwn(value, key));
  return key === undefined ? undefined : (value as Record<string, unknown>)[key];
}
