/**
 * The words of `--init`: from the text of a scheme, `trunc-normal:0.02`, to the distribution of a layer's parameter, by
 * the formulas of `torch.nn.init`, timm and the modules' own `reset_parameters`. Fans are PyTorch's, which do not
 * consider groups unless a scheme is told to.
 */
import { distance } from 'fastest-levenshtein';
import { messageOf } from '../errors.js';
import type { ResetRule } from '../native/reset-rule.js';

/** A distribution without a key: what to draw, or a constant. */
export type Distribution =
  | { kind: 'uniform'; low: number; high: number }
  | { kind: 'normal'; mean: number; std: number }
  | { kind: 'trunc-normal'; mean: number; std: number; low: number; high: number }
  | { kind: 'constant'; value: number };

/** What a scheme must know of a layer: torch.nn.init's fans of its weight, and its groups. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
  readonly groups: number;
  /** Of a recurrent cell: how many numbers its state has. */
  readonly hidden?: number;
}

export interface Scheme {
  /** As `--init` takes it. */
  readonly text: string;
  /** For people: `trunc-normal(0.02)`. */
  readonly words: string;
  /** The values are multiplied by the spread of every channel's trained weights. */
  readonly matched: boolean;
  /** null leaves a parameter as it is. */
  draw(fans: Fans): Distribution | null;
}

/** Schemes that need no argument; `auto` is the architecture's own. */
export const initSchemes = [
  'auto',
  'pytorch',
  'kaiming-normal',
  'kaiming-uniform',
  'xavier-normal',
  'xavier-uniform',
  'lecun-normal',
  'trunc-normal',
  'match',
] as const;

/** For messages. */
export const schemeForms =
  'auto, pytorch, kaiming-normal, kaiming-uniform (either :fan-in or :fan-out, then /groups, /linear), xavier-normal, ' +
  'xavier-uniform, lecun-normal, trunc-normal:STD (or :STD/2std), normal:STD, uniform:BOUND, uniform:LOW:HIGH, zero, ' +
  'constant:V, match, keep';

/** Standard deviation of a standard normal cut at two: a cut normal is widened by it to keep its variance. */
const CUT_AT_TWO = 0.8796256610342398;
/** Where `trunc_normal_` cuts unless told otherwise: of the values, not of their deviations. */
const CUT = 2;
/** Beyond it, fewer normals fall between the cuts than the addon draws from. */
const WIDEST_CUT = 50;

type Draw = Scheme['draw'];
/** @throws Error: what is wrong with the argument */
type Form = (argument: string | undefined) => Draw;

const forms: Readonly<Record<string, Form>> = {
  // kaiming_uniform_(a = sqrt 5) comes to this bound; the bias is drawn with the weight's fan-in.
  // Recurrent modules draw all that they have by the size of the state.
  pytorch: plain(({ fanIn, hidden = fanIn }) => symmetric(1 / Math.sqrt(hidden))),
  'kaiming-normal': kaiming((gain, fan) => normal(Math.sqrt(gain / fan))),
  'kaiming-uniform': kaiming((gain, fan) => symmetric(Math.sqrt((3 * gain) / fan))),
  'xavier-normal': plain(({ fanIn, fanOut }) => normal(Math.sqrt(2 / (fanIn + fanOut)))),
  'xavier-uniform': plain(({ fanIn, fanOut }) => symmetric(Math.sqrt(6 / (fanIn + fanOut)))),
  'lecun-normal': plain(({ fanIn }) => cut(Math.sqrt(1 / fanIn) / CUT_AT_TWO)),
  'trunc-normal': (argument = '0.02') => {
    const [size = '', flag, ...rest] = argument.split('/');
    if (rest.length > 0 || (flag !== undefined && flag !== '2std')) throw new Error('after / it takes 2std');
    const std = sizeOf('STD', size, WIDEST_CUT);
    return (fans) => (flag ? cut(std(fans)) : { ...cut(std(fans)), low: -CUT, high: CUT });
  },
  normal: (argument) => {
    const std = sizeOf('STD', argument);
    return (fans) => normal(std(fans));
  },
  uniform: (argument) => {
    const [low, high, ...rest] = argument?.split(':') ?? [];
    if (rest.length > 0) throw new Error('it takes BOUND or LOW:HIGH');
    if (high === undefined) {
      const bound = sizeOf('BOUND', low);
      return (fans) => symmetric(bound(fans));
    }
    const ends = { low: numberOf('LOW', low), high: numberOf('HIGH', high) };
    if (ends.low > ends.high) throw new Error('LOW must not be above HIGH');
    return () => ({ kind: 'uniform', ...ends });
  },
  zero: plain(() => ({ kind: 'constant', value: 0 })),
  constant: (argument) => {
    const value = numberOf('V', argument);
    return () => ({ kind: 'constant', value });
  },
  match: plain(() => normal(1)),
  keep: plain(() => null),
};

const known = new Map<string, Scheme>();

/**
 * @throws RangeError for a scheme that there is not, or arguments that it does not take
 */
export function parseScheme(text: string): Scheme {
  const found = known.get(text);
  if (found) return found;
  const at = text.indexOf(':');
  const name = at < 0 ? text : text.slice(0, at);
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (!form) {
    const [nearest] = Object.keys(forms).sort((a, b) => distance(name, a) - distance(name, b));
    throw new RangeError(
      `there is no scheme ${JSON.stringify(name)}, perhaps ${nearest}; the schemes are ${schemeForms}`,
    );
  }
  let draw: Draw;
  try {
    draw = form(at < 0 ? undefined : text.slice(at + 1));
  } catch (why) {
    throw new RangeError(`${text}: ${messageOf(why)}; the schemes are ${schemeForms}`);
  }
  const scheme: Scheme = {
    text,
    words: at < 0 ? name : `${name}(${text.slice(at + 1).replace(':', ', ')})`,
    matched: name === 'match',
    draw(fans) {
      const { fanIn, fanOut } = fans;
      if (!(fanIn > 0) || !(fanOut > 0)) {
        throw new RangeError(`fan-in and fan-out must be above 0, got ${fanIn} and ${fanOut}`);
      }
      return draw(fans);
    },
  };
  known.set(text, scheme);
  return scheme;
}

/**
 * The bias that goes with a weight's scheme: PyTorch's modules draw it, `match` keeps it, since in a graph with folded
 * BatchNorm it is the norm's shift, which a reset keeps; all others start it at zero.
 */
export function biasOf(scheme: Scheme): Scheme {
  if (scheme.text === 'pytorch') return scheme;
  return parseScheme(scheme.matched || scheme.text === 'keep' ? 'keep' : 'zero');
}

/** Adds the key to a distribution. */
export function drawFrom(distribution: Distribution, key: bigint): ResetRule {
  return distribution.kind === 'constant' ? distribution : { ...distribution, key };
}

function plain(draw: Draw): Form {
  return (argument) => {
    if (argument !== undefined) throw new Error('it takes no argument');
    return draw;
  };
}

/** `fan-out/groups`: which fan, whether a group's own counts, and a gain of 1 in place of ReLU's sqrt 2. */
function kaiming(draw: (gain: number, fan: number) => Distribution): Form {
  return (argument = 'fan-in') => {
    const flags = new Set(argument.split('/'));
    const isOut = flags.delete('fan-out');
    const isIn = flags.delete('fan-in');
    const ofGroup = flags.delete('groups');
    const gain = flags.delete('linear') ? 1 : 2;
    if (isIn === isOut || flags.size > 0)
      throw new Error('it takes fan-in or fan-out, then /groups and /linear');
    return ({ fanIn, fanOut, groups }) => draw(gain, isIn ? fanIn : fanOut / (ofGroup ? groups : 1));
  };
}

/** A number above 0, or one over the root of a fan or of both. */
function sizeOf(name: string, text: string | undefined, most = Number.POSITIVE_INFINITY) {
  if (text === 'fan-in') return ({ fanIn }: Fans) => 1 / Math.sqrt(fanIn);
  if (text === 'fan-out') return ({ fanOut }: Fans) => 1 / Math.sqrt(fanOut);
  if (text === 'fan-in+fan-out') return ({ fanIn, fanOut }: Fans) => 1 / Math.sqrt(fanIn + fanOut);
  const size = numberOf(name, text);
  if (!(size > 0 && size <= most)) {
    throw new Error(`${name} must be above 0${Number.isFinite(most) ? ` and at most ${most}` : ''}`);
  }
  return () => size;
}

function numberOf(name: string, text: string | undefined): number {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(Math.fround(value)))
    throw new Error(`${name} must be a number that a 32-bit float holds`);
  return value;
}

const normal = (std: number): Distribution => ({ kind: 'normal', mean: 0, std });
const symmetric = (bound: number): Distribution => ({ kind: 'uniform', low: -bound, high: bound });
const cut = (std: number) =>
  ({ kind: 'trunc-normal', mean: 0, std, low: -2 * std, high: 2 * std }) satisfies Distribution;
