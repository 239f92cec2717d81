/**
 * Reads an ONNX file, external data included, and writes it back with some tensors replaced. What critmap's
 * schema does not know is kept byte for byte. The file itself is never written to.
 */
import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { CritmapError, messageOf } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { openRegular } from '../files/regular-file.js';
import { kindOf } from '../weights/checkpoint.js';
import { alignTensors } from './align.js';
import { encoded, MOST_STORED, storedBytes } from './apart.js';
import { inlineExternal } from './external.js';
import { fill } from './fill.js';
import { indexGraph } from './graph.js';
import { type Graph, ModelSchema, type Model as Proto, type Tensor } from './onnx_pb.js';
import { chooseEnds, type EndChoice, type Ends } from './passes/ends.js';
import { type SizeChoice, settleSizes } from './passes/sizes.js';
import { sorted } from './passes/sort.js';
import { splitCells } from './passes/split-cells.js';
import { storeAsUsed } from './passes/store-as-used.js';
import { toFloat32 } from './passes/to-float32.js';
import { sliceSequences } from './passes/unsequence.js';
import { unshare } from './passes/unshare.js';
import { refuseTraining, refuseUnsupported } from './refuse.js';
import { type ComputedWeight, computedWeights } from './standardised.js';
import { withFloats } from './tensors.js';

/** A model as read: `proto` holds every tensor's bytes, also those that lay in external files. */
export interface OnnxFile {
  /** As the user wrote it, or where it was fetched to. */
  path: string;
  /** Its address, of one that was fetched, with its commit or its SHA-256. */
  source?: string;
  proto: Proto;
  graph: Graph;
  /** SHA-256 over the file's bytes and then those of its external data files, in hex. */
  sha256: string;
  /** The file's metadata_props. */
  metadata: ReadonlyMap<string, string>;
  /** Types of numbers in the file that became float32 in memory, `float16`. */
  converted?: readonly string[];
  /** Which of its tensors are the images and the logits; the graph has no others. */
  ends?: Ends;
  /** Its tensors are more than one file holds: sessions get the large ones beside the model's bytes. */
  apart?: boolean;
  /** Weights that the graph computes from one trained tensor, by the name that the layer reads. */
  computed?: ReadonlyMap<string, ComputedWeight>;
}

/** protobuf itself cannot hold more; such models keep their weights in external files. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Reads a model file, and brings its graph into the form that critmap works on: float32, parameters stored as their
 * layers use them and each its own, one input, one output.
 * @throws CritmapError (ERR_MODEL) naming the file: missing, not ONNX, truncated, external data missing.
 */
export async function readOnnx(path: string, choice: EndChoice & SizeChoice = {}): Promise<OnnxFile> {
  const hash = createHash('sha256');
  const bytes = await readBytes(path, hash);
  const proto = await parse(path, bytes);
  const graph = proto.graph as Graph;
  await alignTensors(graph);
  graph.initializer = await naming(path, () => inlineExternal(path, graph.initializer, hash));
  refuseUnsupported(path, proto);
  const converted = await naming(path, () => prepare(proto, graph));
  const ends = chooseEnds(path, graph, choice);
  settleSizes(path, graph, choice);
  refuseTraining(path, graph);
  return {
    path,
    proto,
    graph,
    sha256: hash.digest('hex'),
    metadata: new Map(proto.metadataProps.map((entry) => [entry.key, entry.value])),
    converted,
    ends,
    apart: storedBytes(graph) > MOST_STORED,
    computed: await naming(path, () => computedWeights(indexGraph(graph))),
  };
}

async function prepare(proto: Proto, graph: Graph): Promise<string[]> {
  graph.node = sorted(graph.node);
  withoutDefaults(proto, graph);
  const converted = await toFloat32(graph);
  sliceSequences(graph);
  await storeAsUsed(graph);
  unshare(graph);
  splitCells(graph);
  return converted;
}

/** Before its version 4 the format listed stored tensors among the inputs; later it may, and their values are defaults. */
function withoutDefaults(proto: Proto, graph: Graph): void {
  const stored = new Set(graph.initializer.map(({ name }) => name));
  graph.input = graph.input.filter(({ name }) => !stored.has(name));
  if (proto.irVersion < 4n) proto.irVersion = 4n;
}

/** What reads a graph's tensors does not know the file that they are from. */
async function naming<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new CritmapError('ERR_MODEL', `${path}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * What onnxruntime-node makes a session of, with the values of some tensors (by name: initialisers, or outputs of
 * Constant nodes) replaced. The model in memory is not changed.
 */
export function sessionOf(file: OnnxFile, replaced: ReadonlyMap<string, Float32Array> = new Map()) {
  return encoded(file.proto, replaceTensors(file, replaced), file.apart ?? false);
}

/** The same as the bytes of one ONNX file, for a model that is not `apart`. */
export function writeOnnx(file: OnnxFile, replaced?: ReadonlyMap<string, Float32Array>) {
  return sessionOf({ ...file, apart: false }, replaced).bytes;
}

/** The model's graph with the values of some tensors replaced; the model's own is not changed. */
export function replaceTensors(file: OnnxFile, replaced: ReadonlyMap<string, Float32Array>): Graph {
  const left = new Set(replaced.keys());
  const replace = (name: string, tensor: Tensor): Tensor => {
    const values = replaced.get(name);
    if (!values) return tensor;
    left.delete(name);
    return withFloats(tensor, values);
  };
  const initializer = file.graph.initializer.map((tensor) => replace(tensor.name, tensor));
  const node = file.graph.node.map((one) => {
    const output = one.output[0] ?? '';
    if (one.opType !== 'Constant' || !replaced.has(output)) return one;
    const attribute = one.attribute.map((a) =>
      a.name === 'value' && a.t ? { ...a, t: replace(output, a.t) } : a,
    );
    return { ...one, attribute };
  });
  if (left.size > 0) throw new RangeError(`${file.path} has no tensor named ${[...left].join(', ')}`);
  return { ...file.graph, initializer, node };
}

async function readBytes(path: string, hash: Hash): Promise<Uint8Array> {
  try {
    const handle = await openRegular(path);
    try {
      return await readFile(path, handle, (await handle.stat()).size, hash);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof CritmapError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EISDIR') {
      throw new CritmapError('ERR_MODEL', `${path} is a directory; name the .onnx file in it`);
    }
    const why =
      code === 'ENOENT' && !path.includes('\uFFFD')
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'it may not be read (permission denied)'
          : fileProblem(error).join('; ');
    throw new CritmapError('ERR_MODEL', `cannot read the model ${path}: ${why}`, { cause: error });
  }
}

async function readFile(path: string, handle: FileHandle, size: number, hash: Hash): Promise<Uint8Array> {
  if (size > MAX_BYTES) {
    throw await notAModel(
      path,
      `has ${size} bytes; ONNX files end below 2 GB, larger models keep their weights in external data`,
    );
  }
  const bytes = new Uint8Array(size);
  if (!(await fill(bytes, handle, 0, hash))) {
    throw new CritmapError('ERR_MODEL', `${path} became shorter while it was read`);
  }
  return bytes;
}

async function parse(path: string, bytes: Uint8Array): Promise<Proto> {
  if (bytes.byteLength === 0) throw new CritmapError('ERR_MODEL', `${path} is empty`);
  try {
    const proto = fromBinary(ModelSchema, bytes);
    if (proto.graph && proto.graph.node.length > 0) return proto;
  } catch (error) {
    const why = `is not an ONNX model, or it is cut off or damaged (${messageOf(error)})`;
    throw await notAModel(path, why, error);
  }
  throw await notAModel(
    path,
    'is not an ONNX model: it holds no graph. Export the model with torch.onnx.export',
  );
}

async function notAModel(path: string, why: string, cause?: unknown): Promise<CritmapError> {
  const kind = await kindOf(path).catch(() => undefined);
  const what =
    kind === 'checkpoint'
      ? 'is a checkpoint; give it with --weights, and the network with --arch NAME or an ONNX file'
      : (kind?.join('; ') ?? why);
  return new CritmapError('ERR_MODEL', `${path} ${what}`, { cause });
}
