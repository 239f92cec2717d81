/**
 * What colours a layer in a figure, and where one stage of the model ends. Convolutions differ by kernel
 * ("Conv 3×3"); in a transformer nearly everything is a matrix product, there the layer's place in its block
 * tells layers apart ("attn.qkv", "mlp.fc1").
 */
import type { LayerSummary } from '../run/summary.js';
import { printable, shorten } from './text.js';

/** Okabe and Ito's colours, distinguishable with any common colour vision; yellow is left out on white. */
export const PALETTE: readonly string[] = [
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#E69F00',
  '#7A6A53',
  '#666666',
];

/** The kind of a layer from its operator, weight shape and groups: `Conv 3×3`, `depthwise 3×3`, `linear`. */
export function kindOf({ op, shape, groups }: Pick<LayerSummary, 'op' | 'shape' | 'groups'>): string {
  if (op !== 'Conv') return /^(Gemm|MatMul|Einsum)$/.test(op) ? 'linear' : shorten(printable(op), 20);
  const kernel = shape.slice(2).join('×');
  // A first convolution over greyscale images has one input channel too, but one group.
  const depthwise = groups > 1 && shape[1] === 1;
  return `${depthwise ? 'depthwise' : 'Conv'} ${kernel}`.trim();
}

/** A layer's place in its block: what follows the last number of its name, else the name's last word. */
function placeInBlock(name: string): string {
  const words = name.split(/[./]/).filter((word) => word !== '');
  const number = words.findLastIndex((word) => /^\d+$/.test(word));
  const place = number === -1 || number === words.length - 1 ? words.slice(-1) : words.slice(number + 1);
  return shorten(printable(place.join('.')), 26);
}

/** A group per layer, of at most as many groups as the palette has colours; the rarest ones become "other". */
export function groupsOf(layers: readonly LayerSummary[]): string[] {
  const kinds = layers.map(kindOf);
  const linear = kinds.filter((kind) => kind === 'linear').length;
  const groups = linear * 2 > kinds.length ? layers.map((layer) => placeInBlock(layer.layer)) : kinds;
  const counts = new Map<string, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  if (counts.size <= PALETTE.length) return groups;
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, PALETTE.length - 1);
  const kept = new Set(common.map(([group]) => group));
  return groups.map((group) => (kept.has(group) ? group : 'other'));
}

/**
 * Indices of layers that open a new stage, by the first path component that tells stages apart. Empty where
 * names do not fall into a readable number of runs.
 */
export function stageStarts(layers: readonly Pick<LayerSummary, 'layer'>[]): number[] {
  const paths = layers.map((layer) => layer.layer.split(/[./]/));
  for (let depth = 1; depth <= 4; depth++) {
    const keys = paths.map((path) => path.slice(0, depth).join('.'));
    const starts = keys.flatMap((key, i) => (i > 0 && key !== keys[i - 1] ? [i] : []));
    if (starts.length > layers.length / 2 || starts.length > 24) return [];
    if (starts.length >= 3) return starts;
  }
  return [];
}

/** The part of a network each layer is in: the shortest start of names that falls into 3 to 24 runs. */
export function stagesOf(layers: readonly string[]): string[] {
  const paths = layers.map((layer) => layer.split(/[./]/));
  for (let depth = 1; depth <= 4; depth++) {
    const keys = paths.map((path) => path.slice(0, depth).join('.'));
    const runs = keys.filter((key, i) => key !== keys[i - 1]).length;
    if (runs >= 3 && runs <= 24 && runs <= Math.max(3, 0.8 * layers.length)) return keys;
  }
  return layers.map(() => 'all');
}
