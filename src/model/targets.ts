/**
 * The layers of a model as a sweep is asked to take them: norms as layers of their own (`--include norm`), and the fused
 * queries, keys and values of attention as three (`--split-qkv`). The graph stays as it is: a part is rows of its tensor.
 */
import { CritmapError, some } from '../errors.js';
import { splitQkv } from '../onnx/fused-qkv.js';
import { indexGraph, originOf } from '../onnx/graph.js';
import type { Layer, Parameter } from '../onnx/layers.js';
import { findNorms } from '../onnx/norm-layers.js';
import { wasFolded } from '../onnx/warnings.js';
import type { Model } from './model.js';
import type { TargetChoice } from './target-choice.js';

const known = new WeakMap<Model, Map<string, Model>>();

/**
 * The model with these layers; always the same object for the same choice.
 * @throws CritmapError (ERR_OPTION) when it has nothing of what is asked for, and for choices that contradict each other
 */
export function withTargets(model: Model, { include, splitQkv: splits = false, norm }: TargetChoice): Model {
  const norms = include === 'norm';
  const follow = norm === 'with-layer';
  if (norm === 'reset' && norms) {
    throw new CritmapError(
      'ERR_OPTION',
      '--norm reset does not go with --include norm: a norm would be reset with its layer by one rule and alone by another; leave out one of the two, or use --norm with-layer',
    );
  }
  if (norm === 'reset') return withIdleReset(withTargets(model, { include, splitQkv: splits }));
  if (!norms && !splits && !follow) return model;
  return kept(model, `${norms} ${splits} ${follow}`, () => {
    const found = find(model, { norms, splits, follow, keepFresh: false });
    if (norms && found.norms === 0) throw noNorms(model, found.leftOut.length);
    if (splits && found.slices.size === 0) throw noQkv(model, found.whole);
    return found.model;
  });
}

/** The model, with a warning where `--norm reset` has nothing to reset. */
function withIdleReset(model: Model): Model {
  if (model.layers.some((layer) => layer.norm !== null)) return model;
  const warning = `${model.file.path}: --norm reset changes nothing, since no layer has a BatchNorm behind it; --norm with-layer is of norms of any kind`;
  return kept(model, 'reset', () => ({ ...model, warnings: [...model.warnings, warning] }));
}

/** All layers and parts that a model has, as a donor of any of them. */
export function withAllTargets(model: Model): Model {
  return kept(
    model,
    'all',
    () => find(model, { norms: true, splits: true, follow: false, keepFresh: true }).model,
  );
}

function kept(model: Model, key: string, make: () => Model): Model {
  const models = known.get(model) ?? new Map<string, Model>();
  known.set(model, models);
  const found = models.get(key) ?? make();
  models.set(key, found);
  return found;
}

interface Wanted {
  norms: boolean;
  splits: boolean;
  /** Norms behind layers. */
  follow: boolean;
  /** Norms that are what they start as, too. */
  keepFresh: boolean;
}

function find(model: Model, { norms, splits, follow, keepFresh }: Wanted) {
  const { file } = model;
  const index = indexGraph(file.graph);
  const slices = new Map<string, Parameter>();
  const whole: { name: string; why: string }[] = [];
  const layers = model.layers.flatMap((layer) => {
    const found = splits ? splitQkv(index, layer) : undefined;
    if (found === undefined) return [layer];
    if (typeof found === 'string') {
      whole.push({ name: layer.name, why: found });
      return [layer];
    }
    for (const { weight, bias } of found)
      for (const one of bias ? [weight, bias] : [weight]) slices.set(one.tensor, one);
    return found;
  });
  const every = norms || follow ? findNorms(file, index, model.layers, keepFresh) : undefined;
  const added = { layers: norms ? (every?.layers ?? []) : [], leftOut: norms ? (every?.leftOut ?? []) : [] };
  const behind = new Map(
    layers.flatMap((layer): [Layer, Layer][] => {
      const norm = follow && !layer.whole ? every?.behind.get(layer.weight.tensor) : undefined;
      return norm ? [[layer, { ...norm, accompanies: true }]] : [];
    }),
  );
  const given = ({ weight, bias }: Layer) =>
    !model.given || (model.given.has(weight.tensor) && (!bias || model.given.has(bias.tensor)));
  const all = inOrder(model, index, layers, added.layers.filter(given));
  const leftOut = [...model.leftOut, ...added.leftOut];
  const folded = norms ? model.layers.filter((layer) => layer.op === 'Conv' && wasFolded(index, layer)) : [];
  const warnings = [
    ...model.warnings,
    ...(follow && behind.size === 0
      ? [
          `${file.path}: --norm with-layer changes nothing, since no layer has a norm with parameters of its own right behind it`,
        ]
      : []),
    ...(folded.length > 0
      ? [
          `${file.path}: the norms of ${folded.length} convolution(s) (${some(folded.map(({ name }) => name))}) were folded into them by the export and are no layers of their own`,
        ]
      : []),
    ...[...new Set(added.leftOut.map(({ why }) => why))].map((why) => {
      const names = added.leftOut.flatMap((one) => (one.why === why ? [one.name] : []));
      return `${file.path}: ${names.length} norm(s) are no layers of their own (${some(names, 3)}): ${why}`;
    }),
    ...[...new Set(whole.map(({ why }) => why))].map(
      (why) =>
        `${file.path}: --split-qkv leaves ${some(whole.flatMap((one) => (one.why === why ? [one.name] : [])))} whole: ${why}`,
    ),
  ];
  return {
    model: { ...model, layers: all, leftOut, warnings, values: valuesWith(model, slices), slices, behind },
    norms: added.layers.length,
    leftOut: added.leftOut,
    slices,
    whole,
  };
}

/** Layers and norms in the order of the graph: by the first node that reads each one's weight. */
function inOrder(
  { file }: Model,
  index: ReturnType<typeof indexGraph>,
  layers: readonly Layer[],
  norms: readonly Layer[],
): Layer[] {
  if (norms.length === 0) return [...layers];
  const first = new Map<string, number>();
  for (const [at, { input }] of file.graph.node.entries()) {
    for (const name of input) {
      const tensor =
        originOf(index, name)?.tensor ?? file.computed?.get(name)?.tensor ?? sourceOf(index, name);
      if (tensor !== undefined && !first.has(tensor)) first.set(tensor, at);
    }
  }
  const placeOf = ({ weight, whole }: Layer) => first.get((whole?.weight ?? weight).tensor);
  const rest = [...norms];
  const all: Layer[] = [];
  let at = 0;
  for (const layer of layers) {
    // One that is read behind what arranges it comes where the one before it is.
    at = Math.max(at, placeOf(layer) ?? at);
    while (rest[0] && (placeOf(rest[0]) ?? 0) < at) all.push(rest.shift()!);
    all.push(layer);
  }
  return [...all, ...rest];
}

/** A stored vector behind what shapes it, as a norm's scale of channels. */
function sourceOf(index: ReturnType<typeof indexGraph>, name: string): string | undefined {
  const node = index.producer.get(name);
  return node &&
    /^(Reshape|Unsqueeze|Squeeze|Cast)$/.test(node.opType) &&
    index.tensors.has(node.input[0] ?? '')
    ? node.input[0]
    : undefined;
}

function valuesWith(model: Model, slices: ReadonlyMap<string, Parameter>): Model['values'] {
  const cut = new Map<string, Float32Array>();
  return (tensor) => {
    const slice = slices.get(tensor);
    if (!slice) return model.values(tensor);
    const values = cut.get(tensor) ?? sliceOf(slice, model.values(slice.within!.parameter.tensor));
    cut.set(tensor, values);
    return values;
  };
}

/** The first element of each run of a part's channels in the whole, and how long runs are. */
function* runsOf({
  within,
  layout,
  stored,
}: Parameter): Generator<[from: number, at: number, count: number]> {
  const { parameter, from } = within!;
  const { channels } = layout;
  const all = parameter.layout.channels;
  const length = stored.reduce((product, size) => product * size, 1);
  if (!layout.transposed) {
    yield [from * layout.inner, 0, length];
    return;
  }
  for (let at = 0, row = 0; at < length; at += channels, row++) yield [row * all + from, at, channels];
}

/** A part's values of the whole's. */
export function sliceOf(part: Parameter, whole: Float32Array): Float32Array {
  const values = new Float32Array(part.stored.reduce((product, size) => product * size, 1));
  for (const [from, at, count] of runsOf(part)) values.set(whole.subarray(from, from + count), at);
  return values;
}

/** Values of parts as those of the tensors that the file has. */
export function storedValues(
  model: Model,
  tensors: ReadonlyMap<string, Float32Array>,
): ReadonlyMap<string, Float32Array> {
  if (!model.slices?.size) return tensors;
  const stored = new Map<string, Float32Array>();
  for (const [tensor, values] of tensors) {
    const slice = model.slices.get(tensor);
    if (!slice) {
      stored.set(tensor, values);
      continue;
    }
    const name = slice.within!.parameter.tensor;
    const whole = stored.get(name) ?? model.values(name).slice();
    for (const [from, at, count] of runsOf(slice)) whole.set(values.subarray(at, at + count), from);
    stored.set(name, whole);
  }
  return stored;
}

function noNorms({ file, layers }: Model, fresh: number): CritmapError {
  const why =
    fresh > 0
      ? `its ${fresh} norms are what they start as (scale 1, shift 0), or have no parameters of their own`
      : layers.some(({ op }) => op === 'Conv')
        ? 'it has no norm with stored parameters; BatchNorm that an export folded into convolutions cannot be seen (docs/export.md)'
        : 'it has no norm with stored parameters';
  return new CritmapError('ERR_OPTION', `--include norm: ${file.path}: ${why}`);
}

/** All that a model has to reset: its layers, and norms that go with them. */
export const everyLayer = ({ layers, behind }: Pick<Model, 'layers' | 'behind'>): Layer[] => [
  ...layers,
  ...(behind?.values() ?? []),
];

/** Parameters of all that a model has to reset, each once: a norm that goes with a layer may be a layer itself. */
export function parameterCount(model: Pick<Model, 'layers' | 'behind'>): number {
  const each = new Map(everyLayer(model).map((layer) => [layer.weight.tensor, layer.parameters]));
  return [...each.values()].reduce((sum, parameters) => sum + parameters, 0);
}

function noQkv({ file }: Model, whole: readonly { name: string; why: string }[]): CritmapError {
  const [first] = whole;
  const why = first
    ? `${first.name} stays whole: ${first.why}`
    : `it has no layer that gives queries, keys and values at once (qkv, in_proj); separate ones are layers already`;
  return new CritmapError('ERR_OPTION', `--split-qkv: ${file.path}: ${why}`);
}
