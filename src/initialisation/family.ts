/**
 * How the tables of families are written: by what a family is known, and what its freshly built models draw each
 * layer's weight and bias from. Schemes are in the words of `--init`.
 */
import type { Layer } from '../onnx/layers.js';

export type Kind = 'conv' | 'depthwise' | 'grouped' | 'linear' | 'recurrent';

/** What recognising takes of a layer. */
export type Sketch = Pick<Layer, 'name' | 'op' | 'groups' | 'fanIn' | 'fanOut'> & {
  readonly weight: Pick<Layer['weight'], 'shape'>;
  readonly bias: unknown;
};

/** A kind of layer, `conv` and `linear` in the wide sense, or a part of the name, or both. */
type Which = Kind | 'all' | RegExp | readonly [Kind, RegExp];

/**
 * The first rule that fits a layer counts. A scheme that depends on a block's number is made of what the name's
 * pattern found. Without a scheme for the bias it has the one that goes with the weight's.
 */
export type Rule = readonly [
  which: Which,
  weight: string | ((found: RegExpMatchArray) => string),
  bias?: string,
];

export interface Family {
  /** For people: `timm's EfficientNets`. */
  readonly name: string;
  /** By what it is known: every sign of one of these lists, separated by commas, fits a layer. See {@link signOf}. */
  readonly signs: readonly string[];
  readonly rules: readonly Rule[];
}

export function kindOf({ op, groups, weight: { shape } }: Sketch): Kind {
  if (/^(LSTM|GRU|RNN)$/.test(op)) return 'recurrent';
  if (!/^Conv/.test(op)) return 'linear';
  if (groups === 1) return 'conv';
  return shape[1] === 1 ? 'depthwise' : 'grouped';
}

/** What signs are compared with: `linear blocks.0.attn.qkv +bias`. */
export const signOf = (layer: Sketch) =>
  `${kindOf(layer)} ${layer.name} ${layer.bias === null ? '-bias' : '+bias'}`;

/** @param layers their {@link signOf} */
export function isOf({ signs }: Family, layers: readonly string[]): boolean {
  return signs.some((list) =>
    list.split(',').every((sign) => {
      const pattern = patternOf(sign.trim());
      return layers.some((layer) => pattern.test(layer));
    }),
  );
}

/**
 * `linear blocks.#.attn.qkv -bias`: a kind, a name or the end of one after a dot, with or without a bias; kind and bias
 * may be left out. `#` is a number, `*` anything.
 */
function patternOf(sign: string): RegExp {
  const known = patterns.get(sign);
  if (known) return known;
  const [, kind = '\\w+', name = '', bias = '[+-]bias'] =
    /^(?:(conv|depthwise|grouped|linear|recurrent) )?(\S+)(?: ([+-]bias))?$/.exec(sign) ?? [];
  const path = name
    .replace(/[.[\]()|^$?]/g, '\\$&')
    .replaceAll('#', '\\d+')
    .replaceAll('*', '\\S*');
  const pattern = new RegExp(`^${kind} (?:\\S+\\.)?${path} ${bias.replace('+bias', '\\+bias')}$`);
  patterns.set(sign, pattern);
  return pattern;
}

const patterns = new Map<string, RegExp>();

/** The schemes of a layer, or undefined when no rule fits it. */
export function schemesFor(
  rules: readonly Rule[],
  layer: Sketch,
): { weight: string; bias: string | undefined } | undefined {
  const kind = kindOf(layer);
  for (const [which, weight, bias] of rules) {
    const [wanted, pattern] = parts(which);
    if (wanted !== undefined && wanted !== kind && !(wanted === 'conv' && /^(depthwise|grouped)$/.test(kind)))
      continue;
    const found = layer.name.match(pattern);
    if (!found) continue;
    return { weight: typeof weight === 'string' ? weight : weight(found), bias };
  }
  return undefined;
}

function parts(which: Which): readonly [kind: Kind | undefined, pattern: RegExp] {
  if (which instanceof RegExp) return [undefined, which];
  if (typeof which === 'string') return [which === 'all' ? undefined : which, /^/];
  return [which[0], which[1]];
}
