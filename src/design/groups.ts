/**
 * `--group`: which layers one cell resets together. Every member keeps the draws that it has alone, so that groups are
 * paired with single layers. Pure, but for the clock that bounds a pattern.
 */
import { runInNewContext } from 'node:vm';
import { CritmapError, messageOf, quoted } from '../errors.js';
import { type LayerGroup, type LayerParts, membersOf, type Resettable } from '../model/layer-group.js';
import type { Layer } from '../onnx/layers.js';
import { placeInNames } from './blocks.js';
import { selectLayers } from './cells.js';

/** What `--group` takes besides a regular expression. */
export const groupings = [
  'layer',
  'block',
  'stage',
  'all',
  'pairs',
  'cumulative-from-output',
  'cumulative-from-input',
  // What Adebayo et al. (2018) call one layer at a time.
  'independent',
] as const;
type Grouping = (typeof groupings)[number];

/** Of pairs; each is a row of the results and a session of the engine. */
const MOST_GROUPS = 20_000;
/** That a pattern may take for all names; the expressions that people write take less than one. */
const PATTERN_MS = 1000;

const refuse = (what: string, why: string, cause?: unknown) =>
  new CritmapError('ERR_OPTION', `--group ${quoted(what)} ${why}`, { cause });

/** Which layers are reset, and which of them together. */
export interface LayerChoice {
  layers?: readonly string[] | undefined;
  exclude?: readonly string[] | undefined;
  group?: string | undefined;
  parts?: LayerParts | undefined;
}

/**
 * @param behind - norms that go with layers
 * @throws CritmapError (ERR_OPTION) as {@link selectLayers} and {@link groupLayers}
 */
export function chosenOf(
  all: readonly Layer[],
  { layers, exclude, group, parts }: LayerChoice,
  behind: ReadonlyMap<Layer, Layer> = new Map(),
): Resettable[] {
  const selected = selectLayers(all, layers, exclude);
  const found = parts === 'bias' ? selected.filter(({ bias }) => bias !== null) : selected;
  if (found.length === 0) {
    const why = `--parts bias: none of the ${selected.length} chosen layers has a bias of its own`;
    throw new CritmapError('ERR_OPTION', why);
  }
  return groupLayers(found, group).map((one) => withNorms(one, behind));
}

/** With the norm right behind each of its layers: one that it does not have anyway. */
function withNorms(one: Resettable, behind: ReadonlyMap<Layer, Layer>): Resettable {
  const own = membersOf(one);
  const names = new Set(own.map(({ name }) => name));
  const members = own.flatMap((layer) => {
    const norm = behind.get(layer);
    return norm && !names.has(norm.name) ? [layer, norm] : [layer];
  });
  if (members.length === own.length) return one;
  return 'members' in one ? { ...one, members } : { name: one.name, members, at: one };
}

/** Of the chosen layers those that have nothing to reset, as what is left out. */
export function withoutParts(all: readonly Layer[], { layers, exclude, parts }: LayerChoice) {
  if (parts !== 'bias') return [];
  return selectLayers(all, layers, exclude)
    .filter(({ bias }) => bias === null)
    .map(({ name, op }) => ({ name, op, why: 'it has no bias of its own (--parts bias)' }));
}

/**
 * @param layers - those that are reset, in graph order
 * @param grouping - one of {@link groupings}, or a regular expression: layers in which its captures are the same are
 *   a group, and those that it does not match stay alone
 * @returns layers and groups in the order of their first layers; a cascade's in the order in which it grows
 * @throws CritmapError (ERR_OPTION) where there is nothing to group by
 */
export function groupLayers(layers: readonly Layer[], grouping = 'layer'): Resettable[] {
  const word = groupings.find((one) => one === grouping);
  const groups = word ? byWord(layers, word) : byPattern(layers, grouping);
  if (groups.length > MOST_GROUPS) {
    const why = `makes ${groups.length.toLocaleString('en')} groups of ${layers.length} layers; choose fewer with --layers`;
    throw refuse(grouping, why);
  }
  return distinctNames(groups);
}

function byWord(layers: readonly Layer[], word: Grouping): Resettable[] {
  switch (word) {
    case 'layer':
    case 'independent':
      return [...layers];
    case 'all':
      return layers.length > 1 ? [{ name: 'all', members: layers }] : [...layers];
    case 'block':
    case 'stage':
      return inPlaces(layers, word);
    case 'pairs':
      return pairs(layers);
    case 'cumulative-from-output':
      return cascade([...layers].reverse(), 'from');
    case 'cumulative-from-input':
      return cascade(layers, 'to');
  }
}

function inPlaces(layers: readonly Layer[], level: 'block' | 'stage'): Resettable[] {
  const places = layers.map(({ name }) => placeInNames(name));
  const stages = new Set(places.flatMap((place) => place?.stage ?? []));
  const keys = places.map((place, i) => {
    if (!place) return null;
    // What leads into a stage lies beside its blocks: `stages.1.downsample.1`.
    const isBeside = place.stage === null && stages.has(place.block);
    if (level === 'stage') return isBeside ? place.block : place.stage;
    return isBeside ? upToWordBehind(layers[i]!.name, place.block) : place.block;
  });
  const found = grouped(layers, keys, (key) => key);
  if (found.length < layers.length) return found;
  throw refuse(
    level,
    `finds no ${level} with two layers in the names of the ${layers.length}; ${level === 'stage' ? '--group block, or ' : ''}a regular expression such as --group '^blocks\\.(\\d+)' groups them otherwise`,
  );
}

/** `stages.1.downsample` of `stages.1.downsample.1` and `stages.1`. */
const upToWordBehind = (name: string, start: string) =>
  start + (/^[./][^./]+/.exec(name.slice(start.length))?.[0] ?? '');

function byPattern(layers: readonly Layer[], pattern: string): Resettable[] {
  const matches = matchesOf(
    pattern,
    layers.map(({ name }) => name),
  );
  const keys = matches.map((match) => match && JSON.stringify(match.length > 1 ? match.slice(1) : match));
  if (keys.every((key) => key === null)) {
    const named = layers.slice(0, 3).map(({ name }) => name);
    const why = `matches none of the ${layers.length} layers (${named.join(', ')}, ...); give one of ${groupings.join(', ')}, or a regular expression that does`;
    throw refuse(pattern, why);
  }
  return grouped(layers, keys, (key, members) => {
    const own = members.map((layer) => matches[layers.indexOf(layer)]!);
    const [first] = own as [readonly string[]];
    // Where the match itself tells groups apart, as `layer1.0` does, it says more than its captures.
    const name = own.every(([match]) => match === first[0])
      ? first[0]!
      : (JSON.parse(key) as string[]).filter((capture) => capture !== '').join('.');
    return name === '' ? pattern : name;
  });
}

/** What is wrong with a word of `--group` whatever the layers are called; a part of a sentence. */
export function groupProblem(word: string): string | null {
  try {
    new RegExp(word);
    return null;
  } catch (error) {
    return `is neither one of ${groupings.join(', ')} nor a regular expression: ${messageOf(error)}`;
  }
}

/** A name's match and captures, null where it has none. @throws CritmapError (ERR_OPTION) */
function matchesOf(pattern: string, names: readonly string[]): (readonly string[] | null)[] {
  const problem = groupProblem(pattern);
  if (problem !== null) throw refuse(pattern, problem);
  const expression = new RegExp(pattern);
  const find = (name: string) => {
    const match = expression.exec(name);
    return match && [...match].map((part) => part ?? '');
  };
  try {
    // Nested repetitions may take for ever; only a context of its own can be stopped.
    return runInNewContext('names.map(find)', { names, find }, { timeout: PATTERN_MS });
  } catch (error) {
    throw refuse(
      pattern,
      'takes too long to match: write it without repetitions inside of repetitions',
      error,
    );
  }
}

/** Layers of one key together, at the place of the first; those without a key alone. */
function grouped(
  layers: readonly Layer[],
  keys: readonly (string | null)[],
  nameOf: (key: string, members: readonly Layer[]) => string,
): Resettable[] {
  return layers.flatMap((layer, i) => {
    const key = keys[i];
    if (key === null || key === undefined) return [layer];
    if (keys.indexOf(key) < i) return [];
    const members = layers.filter((_, other) => keys[other] === key);
    return [members.length === 1 ? layer : { name: nameOf(key, members), members }];
  });
}

/** Every two layers. */
function pairs(layers: readonly Layer[]): LayerGroup[] {
  const count = (layers.length * (layers.length - 1)) / 2;
  if (count === 0) throw refuse('pairs', 'needs two layers; --layers chooses one');
  // They are counted before they are made.
  if (count > MOST_GROUPS) {
    throw refuse(
      'pairs',
      `makes ${count.toLocaleString('en')} of ${layers.length} layers; choose fewer with --layers`,
    );
  }
  return layers.flatMap((first, i) =>
    layers.slice(i + 1).map((second) => ({
      name: `${first.name} and ${second.name}`,
      members: [first, second],
    })),
  );
}

/** One layer, then with the next one, until all are reset: everything from, or up to, the layer that it has come to. */
function cascade(layers: readonly Layer[], side: 'from' | 'to'): Resettable[] {
  return layers.map((layer, i) => {
    if (i === 0) return layer;
    const members = layers.slice(0, i + 1);
    return {
      name: `${side} ${layer.name}`,
      members: side === 'from' ? members.reverse() : members,
      at: layer,
    };
  });
}

/** A group may be called what a layer is called that is not in it, or another group. */
function distinctNames(groups: readonly Resettable[]): Resettable[] {
  const taken = new Set(groups.flatMap((one) => ('members' in one ? [] : [one.name])));
  return groups.map((one) => {
    if (!('members' in one)) return one;
    let { name } = one;
    for (let number = 2; taken.has(name); number++) name = `${one.name} #${number}`;
    taken.add(name);
    return name === one.name ? one : { ...one, name };
  });
}
