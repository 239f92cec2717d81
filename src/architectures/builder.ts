/**
 * Builds networks layer by layer under PyTorch's module names, with the weights that the published study's models
 * start from: the same seed gives the same model everywhere. A module that is named twice is used twice, with the
 * same parameters.
 */

import { drawFrom, parseScheme } from '../initialisation/scheme.js';
import type { ResetRule } from '../native/reset-rule.js';
import { elementCount } from '../onnx/tensors.js';
import { resetKey } from '../resets/parameter-resets.js';
import { type Attributes, GraphWriter } from './graph.js';

/** A tensor of the graph: N x channels x height x width, N x tokens x channels or N x channels. */
export interface Value {
  name: string;
  channels: number;
}

/** What all networks may be asked for. */
export interface NetworkOptions {
  /** Edge of the images in pixels; default 224. */
  size?: number;
  /** Channels of the images; default 3. */
  channels?: number;
  /** Default 1000. */
  classes?: number;
  /** Seed of the random weights; default 0. */
  seed?: number;
  /**
   * Biases and the norms' scales, shifts, means and variances: as the modules start (`initial`, the default: zeros
   * and ones, which leave a norm without effect) or drawn at random, as different as training makes them.
   */
  vectors?: 'initial' | 'random';
  /** What all weights are drawn from, a scheme of `--init`; default the architecture's own initialisation. */
  init?: string;
}

/** In what networks of one architecture differ that were not made by timm. */
export interface Variation {
  /** What a vision transformer's LayerNorms add to the variance, or a ConvNeXt's last one; default 1e-6. */
  epsilon?: number;
  /** Of a distilled transformer: there is no head but the class token's. Default false. */
  singleHead?: boolean;
}

/** What timm's LayerNorms add to the variance. */
export const EPSILON = 1e-6;

export interface ConvOptions {
  stride?: number;
  /** Default: what keeps the size at stride 1. */
  pad?: number;
  groups?: number;
  bias?: boolean;
  init?: string;
}

/** What weights are drawn from unless the architecture says otherwise: as residual networks and PyTorch do. */
const CONVOLUTION = 'kaiming-normal:fan-out';
const LINEAR = 'pytorch';

type Kernel = number | readonly [height: number, width: number];

export class GraphBuilder extends GraphWriter {
  readonly #seed: number;
  readonly #vectors: 'initial' | 'random';
  readonly #init: string | undefined;

  constructor({
    seed = 0,
    vectors = 'initial',
    init,
  }: Pick<NetworkOptions, 'seed' | 'vectors' | 'init'> = {}) {
    super();
    this.#seed = seed;
    this.#vectors = vectors;
    this.#init = init;
  }

  conv(module: string, from: Value, channels: number, kernel: Kernel, options: ConvOptions = {}): Value {
    const { stride = 1, groups = 1, bias = false, init } = options;
    const sides = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    const shape = [channels, from.channels / groups, ...sides];
    const inputs = [from.name, this.#weight(module, shape, init ?? CONVOLUTION, groups)];
    if (bias) inputs.push(this.#bias(module, channels));
    const window = windowOf(sides, stride, options.pad);
    return { name: this.node('Conv', module, inputs, { ...window, group: groups }), channels };
  }

  /** A BatchNorm with the statistics of training, as in evaluation. */
  norm(module: string, { name, channels }: Value, epsilon = 1e-5): Value {
    const inputs = [
      name,
      this.#vector(module, 'weight', channels, 1, [-1, 2.5]),
      this.#vector(module, 'bias', channels, 0, [-0.5, 0.5]),
      this.#vector(module, 'running_mean', channels, 0, [-0.5, 0.5]),
      this.#vector(module, 'running_var', channels, 1, [0.25, 2]),
    ];
    const attributes = { epsilon: { float: epsilon } };
    return { name: this.node('BatchNormalization', module, inputs, attributes), channels };
  }

  /** A LayerNorm over the last axis, channels. */
  layerNorm(module: string, { name, channels }: Value, epsilon: number): Value {
    const inputs = [
      name,
      this.#vector(module, 'weight', channels, 1, [0.5, 1.5]),
      this.#vector(module, 'bias', channels, 0, [-0.5, 0.5]),
    ];
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    return { name: this.node('LayerNormalization', module, inputs, attributes), channels };
  }

  /** The axes in another order. */
  transpose(module: string, { name, channels }: Value, perm: readonly number[]): Value {
    return { name: this.node('Transpose', module, [name], { perm }), channels };
  }

  /** An operator on each element by itself. */
  map(opType: string, module: string, { name, channels }: Value, attributes?: Attributes): Value {
    return { name: this.node(opType, module, [name], attributes), channels };
  }

  relu(module: string, from: Value): Value {
    return this.map('Relu', module, from);
  }

  /** x (1 + erf(x / sqrt 2)) / 2, operator by operator as torch.onnx writes it; the runtime fuses it. */
  gelu(module: string, { name, channels }: Value): Value {
    const op = (opType: string, ...inputs: string[]) => this.node(opType, module, inputs);
    const erf = op('Erf', op('Div', name, this.scalar(Math.SQRT2)));
    const product = op('Mul', name, op('Add', erf, this.scalar(1)));
    return { name: op('Mul', product, this.scalar(0.5)), channels };
  }

  add(module: string, a: Value, b: Value): Value {
    return { name: this.node('Add', module, [a.name, b.name]), channels: a.channels };
  }

  /** Side by side in the channels of N x channels x height x width. */
  concat(module: string, values: readonly Value[]): Value {
    const names = values.map(({ name }) => name);
    const channels = values.reduce((sum, value) => sum + value.channels, 0);
    return { name: this.node('Concat', module, names, { axis: 1 }), channels };
  }

  maxPool(module: string, { name, channels }: Value, kernel: number, stride: number, pad?: number): Value {
    const window = windowOf([kernel, kernel], stride, pad);
    return { name: this.node('MaxPool', module, [name], window), channels };
  }

  /** PyTorch's: padding counts as zeros. */
  avgPool(module: string, { name, channels }: Value, kernel: number, stride: number, pad?: number): Value {
    const window = windowOf([kernel, kernel], stride, pad);
    return { name: this.node('AveragePool', module, [name], { ...window, count_include_pad: 1 }), channels };
  }

  globalPool(module: string, { name, channels }: Value): Value {
    return { name: this.node('GlobalAveragePool', module, [name]), channels };
  }

  /** A Linear on the last axis, channels: the weight is stored as PyTorch has it, the bias is added after. */
  linear(module: string, from: Value, channels: number, init?: string): Value {
    const stored = this.#weight(module, [channels, from.channels], init);
    const weight = this.node('Transpose', module, [stored], { perm: [1, 0] });
    const product = this.node('MatMul', module, [from.name, weight]);
    return { name: this.node('Add', module, [this.#bias(module, channels), product]), channels };
  }

  /** A Linear on N x channels. */
  gemm(module: string, from: Value, channels: number, init?: string): Value {
    const inputs = this.#gemmInputs(module, from, channels, init);
    return { name: this.node('Gemm', module, inputs, { transB: 1 }), channels };
  }

  /** The Linear on N x channels that makes the logits. */
  classifier(module: string, from: Value, classes: number, init?: string): void {
    this.logits('Gemm', module, this.#gemmInputs(module, from, classes, init), { transB: 1 });
  }

  /** Global average pooling and a Linear: the logits. */
  head(module: string, from: Value, classes: number): void {
    const pooled = this.globalPool('avgpool', from);
    this.classifier(module, this.map('Flatten', 'flatten', pooled), classes);
  }

  /** A trained tensor of its own, such as a position embedding: normal values. */
  parameter(name: string, dims: readonly number[], std: number): string {
    const distribution = { kind: 'trunc-normal', mean: 0, std, low: -2, high: 2 } as const;
    return this.floats(name, dims, drawFrom(distribution, this.#key(name, '')));
  }

  /** A trained vector of its own, such as a layer scale: all the same, or on [0.5, 1.5). */
  scale(name: string, channels: number, initial: number): string {
    return this.#filled(name, channels, initial, [0.5, 1.5], this.#key(name, ''));
  }

  #gemmInputs(module: string, from: Value, channels: number, init?: string): string[] {
    const weight = this.#weight(module, [channels, from.channels], init);
    return [from.name, weight, this.#bias(module, channels)];
  }

  /** @param shape output channels first */
  #weight(module: string, shape: readonly number[], init: string = LINEAR, groups = 1): string {
    const receptive = elementCount(shape.slice(2));
    const [channels = 1, inputs = 1] = shape;
    const fans = { fanIn: inputs * receptive, fanOut: channels * receptive, groups };
    const distribution = parseScheme(this.#init ?? init).draw(fans);
    if (!distribution) throw new RangeError(`${module}: there are no weights to keep`);
    return this.floats(`${module}.weight`, shape, drawFrom(distribution, this.#key(module, 'weight')));
  }

  #bias(module: string, channels: number): string {
    return this.#vector(module, 'bias', channels, 0, [-0.25, 0.25]);
  }

  #vector(
    module: string,
    role: string,
    length: number,
    initial: number,
    range: readonly [low: number, high: number],
  ): string {
    return this.#filled(`${module}.${role}`, length, initial, range, this.#key(module, role));
  }

  #filled(
    name: string,
    length: number,
    initial: number,
    [low, high]: readonly [low: number, high: number],
    key: bigint,
  ): string {
    const rule: ResetRule =
      this.#vectors === 'initial'
        ? { kind: 'constant', value: initial }
        : { kind: 'uniform', low, high, key };
    return this.floats(name, [length], rule);
  }

  /** The key of a trial that no sweep has: a reset with the same seed must not draw the same weights again. */
  #key(module: string, role: string): bigint {
    return resetKey(this.#seed, module, role, -1);
  }
}

function windowOf(kernel: readonly number[], stride: number, pad?: number): Attributes {
  const pads = kernel.map((side) => pad ?? Math.floor((side - 1) / 2));
  return { kernel_shape: kernel, pads: [...pads, ...pads], strides: [stride, stride] };
}
