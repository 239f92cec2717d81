/**
 * What every layer of a model starts from, by what `--init` asks for: the architecture's own rules (`auto`), a scheme
 * for all layers, or schemes for some of them.
 */
import { CritmapError, messageOf } from '../errors.js';
import { matcher, matchesNothing } from '../model/layer-globs.js';
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/targets.js';
import type { Layer } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { recognise } from './recognise.js';
import { biasOf, type Distribution, initSchemes, parseScheme, type Scheme } from './scheme.js';

/**
 * One `--init` or several, of which later ones win: a scheme for all layers, `GLOB=SCHEME[:ARGS]` for the layers of that
 * name, `GLOB.weight=...` or `GLOB.bias=...` for one of their parameters. `auto`, the default, is the architecture's own
 * initialisation.
 */
export type InitChoice = string | readonly string[];

/** What one parameter starts from. */
export interface Initial {
  scheme: Scheme;
  /** null leaves it as it is. */
  distribution: Distribution | null;
}

export interface LayerInit {
  weight: Initial;
  /** Of a layer without bias too: what one would start from. */
  bias: Initial;
  /** `trunc-normal(0.02) bias 0`. */
  words: string;
  /** Its architecture was not recognised. */
  guessed: boolean;
}

const known = new WeakMap<Model, Map<string, ReadonlyMap<string, LayerInit>>>();

/**
 * By the layers' names.
 * @throws CritmapError (ERR_OPTION) for a scheme that there is not, or a pattern that fits no layer
 */
export function initialsOf(model: Model, choice: InitChoice): ReadonlyMap<string, LayerInit> {
  const tables = known.get(model) ?? new Map<string, ReadonlyMap<string, LayerInit>>();
  known.set(model, tables);
  const key = JSON.stringify([choice].flat());
  let table = tables.get(key);
  if (!table) {
    table = tableOf(model, [choice].flat());
    tables.set(key, table);
  }
  return table;
}

/** One line where `auto` is asked for and is a guess: which layers, and how to be sure. */
export function initWarnings(model: Model, choice: InitChoice): string[] {
  const guessed = [...initialsOf(model, choice)].filter(([, { guessed }]) => guessed);
  if (guessed.length === 0) return [];
  const rules = [...new Set(guessed.map(([, { words }]) => words))];
  return [
    `${model.file.path}: what a fresh model of this architecture starts with is a guess for ${guessed.length} of ${model.layers.length} layers (${rules.slice(0, 3).join('; ')}${rules.length > 3 ? '; ...' : ''}), since neither its graph nor its names are those of a known one, or no scheme says how these start. critmap inspect shows it layer by layer; to be sure, say what it is (--arch NAME, --init 'GLOB=SCHEME') or give fresh models (--init-from)`,
  ];
}

/** Scale 1, shift 0. */
const NORM_WORDS = 'as a fresh norm';
const freshNorm = { weight: parseScheme('constant:1'), bias: parseScheme('zero'), guessed: false };

interface Choice {
  weight: Scheme | 'auto';
  bias: Scheme | 'auto';
}

function tableOf(model: Model, choices: readonly string[]): ReadonlyMap<string, LayerInit> {
  const chosen = new Map<Layer, Choice>(
    everyLayer(model).map((layer) => [layer, { weight: 'auto', bias: 'auto' }]),
  );
  for (const text of choices) {
    const { layers, roles, scheme } = parseChoice(text, everyLayer(model));
    for (const layer of layers) {
      const choice = chosen.get(layer)!;
      if (roles.weight) choice.weight = scheme;
      if (roles.bias) choice.bias = scheme === 'auto' || !roles.weight ? scheme : biasOf(scheme);
    }
  }
  const automatic = recognise(model);
  const initial = (scheme: Scheme, layer: Layer): Initial => ({
    scheme,
    distribution: scheme.draw(layer.whole ?? layer),
  });
  return new Map(
    everyLayer(model).map((layer) => {
      const choice = chosen.get(layer)!;
      // A part is drawn as the whole is.
      const own = isNormOp(layer.op) ? freshNorm : automatic.schemesOf(layer.whole ?? layer);
      const weight = choice.weight === 'auto' ? own.weight : choice.weight;
      const bias = choice.bias === 'auto' ? own.bias : choice.bias;
      const isAuto = choice.weight === 'auto' || (choice.bias === 'auto' && layer.bias !== null);
      const words =
        own === freshNorm && weight === own.weight && bias === own.bias
          ? NORM_WORDS
          : layer.bias
            ? withBias(weight, bias)
            : weight.words;
      const found = { weight: initial(weight, layer), bias: initial(bias, layer), words };
      return [layer.name, { ...found, guessed: isAuto && own.guessed }];
    }),
  );
}

/** PyTorch's modules draw their bias along. */
function withBias(weight: Scheme, bias: Scheme): string {
  if (weight.text === 'pytorch' && bias.text === 'pytorch') return 'pytorch';
  return `${weight.words} bias ${bias.text === 'zero' ? '0' : bias.words}`;
}

function parseChoice(text: string, all: readonly Layer[]) {
  const refuse = (why: string) => new CritmapError('ERR_OPTION', `--init ${text}: ${why}`);
  const at = text.lastIndexOf('=');
  const glob = text.slice(0, Math.max(0, at));
  if (at === 0) throw refuse('a pattern of layer names is missing before the =');
  const name = text.slice(at + 1);
  let scheme: Scheme | 'auto';
  try {
    scheme = name === 'auto' ? 'auto' : parseScheme(name);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  const both = { weight: true, bias: true };
  const layers = all.filter(({ op }) => !isNormOp(op));
  if (at < 0) return { layers, roles: both, scheme };
  const of = (pattern: string) => {
    const isMatch = matcher(pattern);
    const found = all.filter(({ name, whole }) => isMatch(name) || (whole && isMatch(whole.name)));
    const others = found.filter(({ op }) => !isNormOp(op));
    if (others.length > 0 || found.length === 0) return others;
    // Norms start with numbers, not with draws; a pattern is for them when it fits nothing else.
    const start = scheme === 'auto' ? undefined : scheme.draw({ fanIn: 1, fanOut: 1, groups: 1 });
    if (start && start.kind !== 'constant') throw refuse('a norm starts with zero, constant:V or keep');
    return found;
  };
  const named = of(glob);
  if (named.length > 0) return { layers: named, roles: both, scheme };
  const role = /^(.+)\.(weight|bias)$/.exec(glob);
  if (!role) throw matchesNothing('--init', glob, layers);
  const owners = of(role[1]!);
  if (owners.length === 0) throw matchesNothing('--init', glob, layers);
  if (role[2] === 'weight') return { layers: owners, roles: { weight: true, bias: false }, scheme };
  const biased = owners.filter(({ bias }) => bias !== null);
  if (biased.length === 0) throw refuse(`none of the ${owners.length} layers that fit has a bias`);
  if (scheme !== 'auto' && scheme.matched) throw refuse('match is for weights; a bias can be kept with keep');
  return { layers: biased, roles: { weight: false, bias: true }, scheme };
}

/** @throws CritmapError (ERR_OPTION) for what no model could take; whether patterns fit is seen with the model */
export function checkInit(choice: InitChoice): void {
  for (const text of [choice].flat()) {
    const name = text.slice(text.lastIndexOf('=') + 1);
    if ((initSchemes as readonly string[]).includes(name)) continue;
    try {
      parseScheme(name);
    } catch (error) {
      throw new CritmapError('ERR_OPTION', `--init ${text}: ${messageOf(error)}`);
    }
  }
}
