/**
 * An ONNX graph in the making: nodes and parameters, named after modules. Knows no layers. A parameter that is asked
 * for again under its name is the same parameter. Only parameters are stored tensors; numbers that the operators
 * need are Constant nodes, so that the graph's stored tensors are a PyTorch model's state.
 */
import { create } from '@bufbuild/protobuf';
import type { ResetRule } from '../native/reset-rule.js';
import {
  type Attribute,
  AttributeSchema,
  GraphSchema,
  ModelSchema,
  type Node,
  NodeSchema,
  OperatorSetSchema,
  Shape_DimensionSchema,
  type Tensor,
  TensorSchema,
} from '../onnx/onnx_pb.js';
import { FLOAT, withFloats } from '../onnx/tensors.js';
import { valueInfo } from '../onnx/value-info.js';
import { bytesOf, type Draw, type Network } from './network.js';

/** TensorProto.DataType. */
const INT64 = 7;

/** What a node's attribute holds; a number is an integer unless it is said to be a float. */
export type AttributeValue = number | readonly number[] | { float: number };
export type Attributes = Record<string, AttributeValue>;

/** Name of the graph's output, N x classes. */
const LOGITS = 'logits';

export class GraphWriter {
  readonly #nodes: Node[] = [];
  readonly #draws = new Map<string, Draw>();
  readonly #names = new Set<string>();

  /** Adds a node with one output, which bears the node's name, and returns it. */
  node(opType: string, module: string, input: readonly string[], attributes: Attributes = {}): string {
    const name = this.#name(module, opType);
    this.#add(opType, name, input, [name], attributes);
    return name;
  }

  /** Adds the node that makes the logits. */
  logits(opType: string, module: string, input: readonly string[], attributes: Attributes = {}): void {
    this.#add(opType, this.#name(module, opType), input, [LOGITS], attributes);
  }

  /** Adds a Split into equal parts and returns their names. */
  split(module: string, input: string, parts: number, axis: number): string[] {
    const name = this.#name(module, 'Split');
    const output = Array.from({ length: parts }, (_, i) => `${name}.${i}`);
    this.#add('Split', name, [input], output, { axis });
    return output;
  }

  /** A stored float32 tensor and what it is drawn from. */
  floats(name: string, dims: readonly number[], rule: ResetRule): string {
    if (!this.#draws.has(name)) {
      const tensor = create(TensorSchema, { name, dims: dims.map(BigInt), dataType: FLOAT });
      this.#draws.set(name, { tensor, rule });
    }
    return name;
  }

  /** A float32 number. */
  scalar(value: number): string {
    const empty = create(TensorSchema, { dataType: FLOAT });
    return this.#constant(`scalar ${value}`, withFloats(empty, Float32Array.of(value)));
  }

  /** An int64 vector, such as the shape that a Reshape takes; of one number, that number alone. */
  integers(values: readonly number[] | number): string {
    const list = typeof values === 'number' ? [values] : values;
    const dims = typeof values === 'number' ? [] : [BigInt(list.length)];
    const name = typeof values === 'number' ? `integer ${values}` : `integers ${list.join(' ')}`;
    const view = new DataView(new ArrayBuffer(8 * list.length));
    for (const [i, value] of list.entries()) view.setBigInt64(8 * i, BigInt(value), true);
    const rawData = new Uint8Array(view.buffer);
    return this.#constant(name, create(TensorSchema, { dims, dataType: INT64, rawData }));
  }

  /** The graph as it is: an open batch of square images in, logits out. */
  network(name: string, input: { name: string; channels: number }, size: number, classes: number): Network {
    const graph = create(GraphSchema, {
      name,
      node: this.#nodes,
      input: [openBatch(input.name, [input.channels, size, size])],
      output: [openBatch(LOGITS, [classes])],
    });
    const opsetImport = [create(OperatorSetSchema, { domain: '', version: 17n })];
    const proto = create(ModelSchema, { irVersion: 8n, producerName: 'critmap', opsetImport, graph });
    return { proto, draws: [...this.#draws.values()] };
  }

  /** The network as the bytes of an ONNX file, its weights drawn at once. */
  model(...about: Parameters<GraphWriter['network']>): Uint8Array<ArrayBuffer> {
    return bytesOf(this.network(...about));
  }

  #constant(name: string, t: Tensor): string {
    if (!this.#names.has(name)) {
      this.#names.add(name);
      const value = create(AttributeSchema, { name: 'value', type: 4, t });
      this.#nodes.push(create(NodeSchema, { opType: 'Constant', name, output: [name], attribute: [value] }));
    }
    return name;
  }

  #add(
    opType: string,
    name: string,
    input: readonly string[],
    output: string[],
    attributes: Attributes,
  ): void {
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value));
    this.#nodes.push(create(NodeSchema, { opType, name, input: [...input], output, attribute }));
  }

  /** `module/Op`; where a module has several, `module/Op_1` and so on, as PyTorch's exporter counts. */
  #name(module: string, opType: string): string {
    const base = `${module}/${opType}`;
    let name = base;
    for (let n = 1; this.#names.has(name); n++) name = `${base}_${n}`;
    this.#names.add(name);
    return name;
  }
}

/** AttributeProto.AttributeType: FLOAT 1, INT 2, TENSOR 4, INTS 7. */
function attributeOf(name: string, value: AttributeValue): Attribute {
  if (typeof value === 'number') return create(AttributeSchema, { name, type: 2, i: BigInt(value) });
  return 'float' in value
    ? create(AttributeSchema, { name, type: 1, f: value.float })
    : create(AttributeSchema, { name, type: 7, ints: value.map(BigInt) });
}

function openBatch(name: string, dims: number[]) {
  const info = valueInfo(name, { type: FLOAT, dims: [1, ...dims] });
  const shape = info.type?.tensorType?.shape;
  if (shape) shape.dim[0] = create(Shape_DimensionSchema, { dimParam: 'batch' });
  return info;
}
