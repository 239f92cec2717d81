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
 * pattern found, and of the layer. Without a scheme for the bias it has the one that goes with the weight's.
 * After {@link UNKNOWN} in place of schemes, what the rules below it say is a guess.
 */
export type Rule = readonly [
  which: Which,
  weight: string | ((found: RegExpMatchArray, layer: Sketch) => string),
  bias?: string,
];

/** Of a layer whose start no scheme says: half of its rows start otherwise than the other half, say. */
export const UNKNOWN = 'unknown';

export interface Family {
  /** For people: `timm's EfficientNets`. */
  readonly name: string;
  /**
   * By what it is known: every sign of one of these lists, separated by commas, fits a layer or a parameter, or none
   * where a `!` is before it. See {@link signOf}.
   */
  readonly signs: readonly string[];
  readonly rules: readonly Rule[];
}

export function kindOf({ op, groups, weight: { shape } }: Sketch): Kind {
  if (/^(LSTM|GRU|RNN)$/.test(op)) return 'recurrent';
  if (!/^Conv/.test(op)) return 'linear';
  if (groups === 1) return 'conv';
  return shape[1] === 1 ? 'depthwise' : 'grouped';
}

/** What signs are compared with: `linear blocks.0.attn.qkv +bias 192x64`. */
export const signOf = (layer: Sketch) =>
  `${kindOf(layer)} ${layer.name} ${layer.bias === null ? '-bias' : '+bias'} ${layer.weight.shape.join('x')}`;

/** Of a parameter that is no layer's: `parameter cls_token`. */
export const signOfParameter = (name: string) => `parameter ${name} -bias -`;

/** @param seen {@link signOf} of its layers, {@link signOfParameter} of its other parameters */
export function isOf({ signs }: Family, seen: readonly string[]): boolean {
  return signs.some((list) =>
    list.split(',').every((text) => {
      const sign = text.trim();
      const isAbsent = sign.startsWith('!');
      const pattern = patternOf(isAbsent ? sign.slice(1) : sign);
      return seen.some((one) => pattern.test(one)) !== isAbsent;
    }),
  );
}

/**
 * `linear blocks.#.attn.qkv -bias 192x64`: a kind, a name or the end of one after a dot, with or without a bias, the
 * weight's shape; all but the name may be left out. `#` is a number, `*` anything.
 */
function patternOf(sign: string): RegExp {
  const known = patterns.get(sign);
  if (known) return known;
  const [, kind = '(?!parameter)\\w+', name = '', bias = '[+-]bias', shape = '\\S+'] =
    /^(?:(conv|depthwise|grouped|linear|recurrent|parameter) )?(\S+)(?: ([+-]bias))?(?: (\d[\dx]*))?$/.exec(
      sign,
    ) ?? [];
  const path = name
    .replace(/[.[\]()|^$?]/g, '\\$&')
    .replaceAll('#', '\\d+')
    .replaceAll('*', '\\S*');
  const pattern = new RegExp(`^${kind} (?:\\S+\\.)?${path} ${bias.replace('+bias', '\\+bias')} ${shape}$`);
  patterns.set(sign, pattern);
  return pattern;
}

const patterns = new Map<string, RegExp>();

/** The schemes of a layer, or undefined when no rule fits it. */
export function schemesFor(
  rules: readonly Rule[],
  layer: Sketch,
): { weight: string; bias: string | undefined; guessed: boolean } | undefined {
  const kind = kindOf(layer);
  let guessed = false;
  for (const [which, weight, bias] of rules) {
    const [wanted, pattern] = parts(which);
    if (wanted !== undefined && wanted !== kind && !(wanted === 'conv' && /^(depthwise|grouped)$/.test(kind)))
      continue;
    const found = layer.name.match(pattern);
    if (!found) continue;
    const scheme = typeof weight === 'string' ? weight : weight(found, layer);
    if (scheme !== UNKNOWN) return { weight: scheme, bias, guessed };
    guessed = true;
  }
  return undefined;
}

function parts(which: Which): readonly [kind: Kind | undefined, pattern: RegExp] {
  if (which instanceof RegExp) return [undefined, which];
  if (typeof which === 'string') return [which === 'all' ? undefined : which, /^/];
  return [which[0], which[1]];
}
