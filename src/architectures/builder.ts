/**
 * Builds networks layer by layer under PyTorch's module names, with the weights that the published study's models
 * start from: the same seed gives the same model everywhere. A module that is named twice is used twice, with the
 * same parameters.
 */
import { drawFrom, type InitScheme, weightDistribution } from '../initialisers.js';
import { native, type ResetRule } from '../native.js';
import { elementCount } from '../onnx/tensors.js';
import { resetKey } from '../reset.js';
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
  /** Default 1000. */
  classes?: number;
  /** Of the random weights; default 0. */
  seed?: number;
  /**
   * Biases and the norms' scales, shifts, means and variances: as the modules start (`initial`, the default: zeros
   * and ones, which leave a norm without effect) or drawn at random, as different as training makes them.
   */
  vectors?: 'initial' | 'random';
  /** What all weights are drawn from; default the architecture's own initialisation. */
  init?: InitScheme;
}

export interface ConvOptions {
  stride?: number;
  /** Default: what keeps the size at stride 1. */
  pad?: number;
  groups?: number;
  bias?: boolean;
  init?: InitScheme;
}

type Kernel = number | readonly [height: number, width: number];

export class GraphBuilder extends GraphWriter {
  readonly #seed: number;
  readonly #vectors: 'initial' | 'random';
  readonly #init: InitScheme | undefined;

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
    const inputs = [from.name, this.#weight(module, 'Conv', shape, init)];
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

  /** A LayerNorm over the channels of N x tokens x channels. */
  layerNorm(module: string, { name, channels }: Value, epsilon: number): Value {
    const inputs = [
      name,
      this.#vector(module, 'weight', channels, 1, [0.5, 1.5]),
      this.#vector(module, 'bias', channels, 0, [-0.5, 0.5]),
    ];
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    return { name: this.node('LayerNormalization', module, inputs, attributes), channels };
  }

  /** An operator on each element by itself. */
  map(opType: string, module: string, { name, channels }: Value, attributes?: Attributes): Value {
    return { name: this.node(opType, module, [name], attributes), channels };
  }

  relu(module: string, from: Value): Value {
    return this.map('Relu', module, from);
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

  /** A Linear on N x tokens x channels, as PyTorch exports it: the weight transposed, the bias added after. */
  linear(module: string, from: Value, channels: number, init?: InitScheme): Value {
    const weight = this.#weight(module, 'MatMul', [channels, from.channels], init);
    const product = this.node('MatMul', module, [from.name, weight]);
    return { name: this.node('Add', module, [this.#bias(module, channels), product]), channels };
  }

  /** A Linear on N x channels. */
  gemm(module: string, from: Value, channels: number, init?: InitScheme): Value {
    const inputs = this.#gemmInputs(module, from, channels, init);
    return { name: this.node('Gemm', module, inputs, { transB: 1 }), channels };
  }

  /** The Linear on N x channels that makes the logits. */
  classifier(module: string, from: Value, classes: number, init?: InitScheme): void {
    this.logits('Gemm', module, this.#gemmInputs(module, from, classes, init), { transB: 1 });
  }

  /** Global average pooling and a Linear: the logits. */
  head(module: string, from: Value, classes: number): void {
    const pooled = this.globalPool('avgpool', from);
    this.classifier(module, this.map('Flatten', 'flatten', pooled), classes);
  }

  /** A trained tensor of its own, such as a position embedding. */
  parameter(name: string, dims: readonly number[], std: number): string {
    const rule: ResetRule = {
      kind: 'trunc-normal',
      mean: 0,
      std,
      low: -2,
      high: 2,
      key: this.#key(name, ''),
    };
    return this.floats(name, dims, (values) => native().reset(values, rule));
  }

  #gemmInputs(module: string, from: Value, channels: number, init?: InitScheme): string[] {
    const weight = this.#weight(module, 'Gemm', [channels, from.channels], init);
    return [from.name, weight, this.#bias(module, channels)];
  }

  /** @param shape PyTorch's, output channels first; stored transposed for a MatMul */
  #weight(
    module: string,
    op: 'Conv' | 'Gemm' | 'MatMul',
    shape: readonly number[],
    init: InitScheme = 'auto',
  ): string {
    const receptive = elementCount(shape.slice(2));
    const [channels = 1, inputs = 1] = shape;
    const fans = { fanIn: inputs * receptive, fanOut: channels * receptive };
    const rule = drawFrom(
      weightDistribution(this.#init ?? init, { op, ...fans }),
      this.#key(module, 'weight'),
    );
    const transposed = op === 'MatMul';
    const layout = { channels, inner: transposed ? 1 : fans.fanIn, transposed };
    const stored = transposed ? [...shape].reverse() : shape;
    return this.floats(`${module}.weight`, stored, (values) => native().reset(values, rule, { layout }));
  }

  #bias(module: string, channels: number): string {
    return this.#vector(module, 'bias', channels, 0, [-0.25, 0.25]);
  }

  #vector(
    module: string,
    role: string,
    length: number,
    initial: number,
    [low, high]: readonly [number, number],
  ): string {
    const rule: ResetRule =
      this.#vectors === 'initial'
        ? { kind: 'constant', value: initial }
        : { kind: 'uniform', low, high, key: this.#key(module, role) };
    return this.floats(`${module}.${role}`, [length], (values) => native().reset(values, rule));
  }

  /** Of a trial that no sweep has: a reset with the same seed must not draw the same weights again. */
  #key(module: string, role: string): bigint {
    return resetKey(this.#seed, module, role, -1);
  }
}

function windowOf(kernel: readonly number[], stride: number, pad?: number): Attributes {
  const pads = kernel.map((side) => pad ?? Math.floor((side - 1) / 2));
  return { kernel_shape: kernel, pads: [...pads, ...pads], strides: [stride, stride] };
}
