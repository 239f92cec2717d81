/**
 * The native engine as TypeScript sees it: programs over preallocated tensors, run by worker threads through
 * ONNX Runtime's C ABI. The addon checks every value that crosses; misuse throws TypeError or RangeError that
 * names the entry. Meaning (which steps a sweep needs) is made in `src/plan`.
 */
import type { columns } from './columns.js';
import type { Blocked, Layout, QuantizeGrid, ResetRule } from './reset-rule.js';

/** ONNX TensorProto.DataType of the slots that planning meets. */
export const ElementType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;

/** Pixels, which the engine's workers normalise. */
export interface EnginePixels {
  /** Uint8, images x height x width x channels. */
  pixels: Uint8Array;
  /** What they become: 256 values per channel, channel after channel, by a pixel's value. */
  table: Float32Array;
}

/** Images as the engine takes them: images x channels x height x width floats, normalised, or else pixels. */
export type EngineImages = Float32Array | EnginePixels;

/** A tensor that each worker owns. All dimensions are known, the batch included; a scalar has none. */
export interface EngineSlot {
  /** ONNX TensorProto.DataType; see {@link ElementType}. */
  type: number;
  dims: number[];
  /** Any number; slots with the same one share a buffer and must not be needed at the same time. */
  storage?: number;
  /** Where in that buffer it begins, in bytes; a multiple of 64, default 0. */
  offset?: number;
  /** Instead of `storage`: part of another slot (not itself a view), from a byte offset that 16 divides. */
  view?: { slot: number; offset: number };
}

/** Without its bits: `key` is where they are among the keys that come with each batch. */
type Keyed<R> = R extends { key: bigint } ? Omit<R, 'key'> & { key: number } : R;

/** A {@link ResetRule} whose donor or scales are a constant and whose draw is chosen per batch. */
export type EngineRule =
  | Keyed<Exclude<ResetRule, { kind: 'interpolate' | 'blend' | 'quantize' }>>
  | { kind: 'interpolate'; donor: number; alpha: number }
  | { kind: 'blend'; donor: number; alpha: number; std: number; key: number }
  | { kind: 'quantize'; grid: QuantizeGrid; scales: number };

/** Cells by index. A step runs when one of them is active, and always if it names none. */
export type StepCells = number | number[];

/** When a step runs. */
interface StepFor {
  cell?: StepCells;
  /** One of the batch's slices: only for batches that have images of it, and with its keys. */
  slice?: number;
}

export type EngineStep =
  /** Runs a session; slots in the order of its graph's inputs and outputs. */
  | ({ kind: 'run'; session: number; inputs: number[]; outputs: number[] } & StepFor)
  /** Resets a slot in place, after copying the constant `source` into it where the rule needs old values. */
  | ({
      kind: 'reset';
      slot: number;
      source?: number;
      rule: EngineRule;
      layout?: Layout;
      /** Constant with one factor per output channel, applied to the new value; needs `layout`. */
      factor?: number;
      /** Constant added after that, one number per element. */
      shift?: number;
      /**
       * How the slot stores the parameter, where that is not row by row. Layout, source, donor, factor and shift
       * stay in the parameter's own order.
       */
      blocked?: Blocked;
    } & StepFor)
  /** Compares a slot with the original logits; these are the cell's results. */
  | { kind: 'compare'; slot: number; cell: number };

export interface EngineProgram {
  slots: EngineSlot[];
  /** What steps call constants, by index: never written, shared by all workers. */
  constants: Float32Array[];
  /** Number of cells. */
  cells: number;
  /** Their names, for messages. */
  cellNames?: string[];
  /** In order. A step may read only what an earlier one wrote that runs whenever it does. */
  steps: EngineStep[];
  /** Slot of the images, float32 [batch, channels, height, width]. */
  input: number;
  /** A batch is so many slices of as many images each, one behind the other, each with keys of its own; default 1. */
  slices?: number;
  /** How many keys of random resets come with each slice; default none. */
  keys?: number;
  /** Slot of the original logits, float32 [batch, classes]; there before the first compare step. */
  logits: number;
}

/** What workers have spent, in seconds, added up over all of them. */
export interface EngineSeconds {
  /** Taking images into the program's input, normalised. */
  upload: number;
  /** New weights. */
  reset: number;
  /** Sessions; on a card, queueing them and waiting for what they come to. */
  inference: number;
  /** Comparing logits. */
  metrics: number;
}

export interface EngineStats {
  /** ONNX Runtime's version and the file it was loaded from. */
  onnxruntime: string;
  library: string;
  threads: number;
  sessions: number;
  /** Bytes of all constants, and of the slots of one worker. */
  constantBytes: number;
  slotBytes: number;
  queued: number;
  running: number;
  /** Images of cells whose logits are there, or queued on a card, since the engine was opened. */
  computed: number;
  seconds: EngineSeconds;
  closed: boolean;
}

/** A float32 initialiser that a model keeps outside its file (`data_location` EXTERNAL), given by a constant. */
export interface ExternalInitializer {
  name: string;
  constant: number;
  dims: number[];
}

export interface SessionOptions {
  /** Fuse operators first; not for parts of a model that has been optimised. */
  optimise: boolean;
  /** Whether the weights of all its convolutions are constants of its graph; default false. */
  constantConvolutions?: boolean;
  externals?: readonly ExternalInitializer[];
}

/** An output of a graph. */
export interface Port {
  name: string;
  /** ONNX TensorProto.DataType; 0 if it is not a tensor. */
  type: number;
  /** -1 for a dimension that is not known; empty for a scalar, and where not even the rank is known. */
  dims: number[];
}

/** The addon's `runtime` object: ONNX Runtime on its own. `library`: its file. */
export interface NativeRuntime {
  /**
   * Reads a model from the file `from` and writes it as ONNX Runtime optimises it for this processor to the file
   * `to`, which are named or, on Linux, given by their descriptors. Rejects with what ONNX Runtime says, with `code`
   * `ERR_FILE` where it is not the model but one of the files that was at fault.
   */
  optimise(library: string, from: string | number, to: string | number): Promise<void>;
  /** The descriptor of a new, empty file in memory that has no name; null where the system has no such. */
  namelessFile(): number | null;
  /** The library's own version, such as `1.30.0`. */
  version(library: string): Promise<string>;
  /** Types and shapes of a graph's outputs, as far as they follow from the graph. */
  ports(library: string, model: Uint8Array): Promise<Port[]>;
}

declare const handle: unique symbol;
/** An open engine; closed by {@link NativeEngine.close}, by the garbage collector, or with its thread. */
export interface EngineHandle {
  readonly [handle]: never;
}

/** A program whose constants the engine has already, by index. */
export type NativeProgram = Omit<EngineProgram, 'constants'> & { constants: number[] };

/** How ONNX Runtime's CUDA provider chooses among cuDNN's algorithms for a convolution. */
export type CudnnSearch = 'heuristic' | 'default' | 'exhaustive';

/** Whether cards compute with channels first, or last in sessions whose convolutions' weights are constants. */
export type CudaLayout = 'nchw' | 'nhwc';

export interface EngineOptions {
  /** ONNX Runtime's file. */
  library: string;
  /** The most workers that the processor has; they start with the work for them. */
  threads: number;
  /**
   * CUDA's numbers of the cards that compute, all different; the processor without it. Each has one worker and its
   * own sessions, and takes the next batch when it has done one: results do not depend on how many cards of one kind
   * there are.
   */
  cards?: readonly number[];
  /**
   * On cards: what products are computed in; default `fp32`. NVIDIA's libraries learn only once whether they may use
   * TF32, so that a process which has opened a card for `fp32` or `fp16` refuses `tf32`, and the reverse.
   */
  precision?: 'fp32' | 'tf32' | 'fp16';
  /** On cards; default `heuristic`. */
  cudnnSearch?: CudnnSearch;
  /** On cards; default `nchw`. */
  layout?: CudaLayout;
}

/** The addon's `engine` object. */
export interface NativeEngine {
  /**
   * Loads ONNX Runtime (on first use; one per process) and makes an engine. Throws Error, which names the card where
   * one is at fault.
   */
  open(options: EngineOptions): EngineHandle;
  /** Copies numbers into the engine; gives their index. */
  addConstant(engine: EngineHandle, values: Float32Array): number;
  /**
   * Builds a session off the main thread; several build at once. `model` is copied by the call. Indices count
   * in the order of the calls.
   */
  addSession(engine: EngineHandle, model: Uint8Array, name: string, options: SessionOptions): Promise<number>;
  /** Checks a program against the sessions and makes it the current one; not while batches are running. */
  load(engine: EngineHandle, program: NativeProgram): void;
  /**
   * Takes `count` images, copied by the call, through the program.
   * Up to `threads` batches run at once, the others wait. `labels`: a class or -1 per image. `active`: one flag
   * per cell. `keys`: of the draws, as many as the program has. Resolves with (cells + 1) x count x {@link columns} numbers: first the original logits
   * compared with themselves, then every cell; NaN for cells that are not active, and for top1, top5 and loss
   * without labels. With `keepsLogits` (cells + 1) x count x classes logits are behind them, likewise.
   *
   * Rejects with `code` `ERR_CANCELLED` or `ERR_ONNXRUNTIME`, or `ERR_DEVICE_FULL` where a card has not enough memory,
   * the message naming the card where one failed; the engine stays usable. After `ERR_DEVICE_LOST` the card is of no use to this process any more, and all that is
   * asked of it later, of this engine or another, fails with the same message.
   */
  execute(
    engine: EngineHandle,
    images: EngineImages,
    count: number,
    labels: Int32Array | undefined,
    active: Uint8Array,
    keys?: BigUint64Array,
    keepsLogits?: boolean,
  ): Promise<Float64Array>;
  /**
   * The logits for at most a batch of images, count x classes: the untouched model's, or those of a cell with its
   * draws' `keys`. Rejects as `execute`.
   */
  logits(
    engine: EngineHandle,
    images: EngineImages,
    count: number,
    cell?: number,
    keys?: BigUint64Array,
  ): Promise<Float64Array>;
  /** Makes all outstanding batches reject: waiting ones at once, running ones before their next graph node. */
  cancel(engine: EngineHandle): void;
  /** Cancels, ends the threads and frees everything. May be called again. */
  close(engine: EngineHandle): Promise<void>;
  stats(engine: EngineHandle): EngineStats;
}

export { onnxruntimeLibrary } from './onnxruntime-library.js';
