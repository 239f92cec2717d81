/**
 * A network before it has weights: its graph, and what every stored tensor is drawn from. To describe one takes
 * milliseconds whatever its size; drawing is where time and memory go, so it can be done off the main thread. The
 * same description gives the same bits both ways.
 */
import { toBinary } from '@bufbuild/protobuf';
import { native } from '../native/addon.js';
import type { ResetRule } from '../native/reset-rule.js';
import { ModelSchema, type Model as Proto, type Tensor } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, withFloats } from '../onnx/tensors.js';

/** A stored float32 tensor, still empty, and what fills it. */
export interface Draw {
  tensor: Tensor;
  rule: ResetRule;
}

export interface Network {
  /** Its graph has no stored tensors yet. */
  proto: Proto;
  draws: readonly Draw[];
}

/** Elements from which drawing off the main thread costs less than a held-up event loop. */
const LARGE = 2 ** 14;

/** Drawn at the same time: as many as Node.js has threads for it by default. */
const ABREAST = 4;

/** The network as the bytes of an ONNX file, drawn at once: for small ones. */
export function bytesOf({ proto, draws }: Network): Uint8Array<ArrayBuffer> {
  return toBinary(ModelSchema, withTensors(proto, draws.map(drawn)));
}

/** The network with its weights, drawn off the main thread. */
export async function drawWeights({ proto, draws }: Network): Promise<Proto> {
  const tensors: Tensor[] = [];
  const waiting = [...draws.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [i, draw] = next;
      tensors[i] = sizeOf(draw) < LARGE ? drawn(draw) : await drawnApart(draw);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
  return withTensors(proto, tensors);
}

/** Number of elements. */
export function sizeOf({ tensor }: Draw): number {
  return elementCount(dimensions(tensor));
}

function drawn(draw: Draw): Tensor {
  const values = new Float32Array(sizeOf(draw));
  native().reset(values, draw.rule);
  return withFloats(draw.tensor, values);
}

async function drawnApart(draw: Draw): Promise<Tensor> {
  const values = new Float32Array(sizeOf(draw));
  await native().resetAsync(values, draw.rule);
  return withFloats(draw.tensor, values);
}

function withTensors(proto: Proto, initializer: Tensor[]): Proto {
  return proto.graph ? { ...proto, graph: { ...proto.graph, initializer } } : proto;
}
