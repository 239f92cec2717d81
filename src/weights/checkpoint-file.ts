/** What every format gives: the tensors of a file by name, in the tables (nested dicts) that they lie in. */
import type { ByteSource } from './byte-file.js';
import type { StoredTensor } from './stored-tensor.js';

/** Tensors that one dict holds. */
export interface Table {
  /** Keys of the dicts around it, outermost first: `['state_dict']`. */
  readonly path: readonly string[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The names in the file, of those that were given others since. */
  readonly original?: ReadonlyMap<string, string>;
}

export interface Contents {
  /** `safetensors`, `PyTorch zip`, ... */
  readonly format: string;
  readonly tables: readonly Table[];
  /** Tensors that cannot be reached: they are inside of objects that only their own code could read. */
  readonly hidden?: readonly Hidden[];
}

export interface Hidden {
  /** Keys of the dicts around it, as a {@link Table}'s. */
  readonly path: readonly string[];
  /** The class or function of Python, `module.name`. */
  readonly name: string;
}

/** Reads what a file holds, but none of the tensors' values. */
export type FormatReader = (file: ByteSource) => Promise<Contents>;
