/**
 * What a pickle's values become: JavaScript's own where there is one (dict is a Map; list, tuple and set are
 * arrays), and plain descriptions of the rest.
 */
import type { ElementType } from './element-types.js';
import type { Storage, StoredTensor } from './stored-tensor.js';

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleRecord
  | TypedStorage
  | PickledTensor;

/** A name that a pickle refers to: a class or function of Python. Only the name is known, nothing is imported. */
export class PickleGlobal {
  constructor(
    /** `module.name`, with the modules' names of Python 3. */
    readonly name: string,
    /** What calling it makes; without it, a record. */
    readonly build?: (args: readonly PickleValue[]) => PickleValue,
    /** Whether it is on the list of names whose meaning is known. */
    readonly isKnown = true,
  ) {}
}

/**
 * An object that is no tensor or container: its name and what it was pickled with. Of a class that is known to hold plain
 * data, or of any other, which is inert: nothing is made of it, and no weights are looked for in it.
 */
export class PickleRecord {
  state: PickleValue = null;
  #items: PickleValue[] | undefined;
  #entries: Map<PickleValue, PickleValue> | undefined;

  constructor(
    readonly name: string,
    readonly args: readonly PickleValue[],
    readonly isKnown = true,
  ) {}

  /** Everything that it was pickled with. */
  *parts(): Iterable<PickleValue> {
    yield* this.args;
    yield this.state;
    if (this.#items) yield this.#items;
    if (this.#entries) yield this.#entries;
  }

  /** What it holds as a list, for a subclass of list. */
  get items(): PickleValue[] {
    this.#items ??= [];
    return this.#items;
  }

  /** What it holds as a dict, for a subclass of dict. */
  get entries(): Map<PickleValue, PickleValue> {
    this.#entries ??= new Map();
    return this.#entries;
  }
}

/** A storage of a checkpoint as a persistent id names it. */
export class TypedStorage {
  constructor(
    readonly storage: Storage,
    /** Type of its elements; null when it is bytes that a tensor gives a type. */
    readonly type: ElementType | null,
    /** Where this view of the storage begins, in elements. */
    readonly offset = 0,
  ) {}
}

/** A class of its own, so that a tensor is told from every other value. */
export class PickledTensor {
  constructor(readonly tensor: StoredTensor) {}
}

/** What a pickle is refused for; who knows the file's name says it in full. */
export class PickleError extends Error {
  constructor(
    readonly problem: string,
    readonly remedy: string,
    /** The bytes ended before the pickle did. */
    readonly endsEarly = false,
  ) {
    super(problem);
  }
}

export const damaged = (what: string) =>
  new PickleError(`its pickle is damaged (${what})`, 'download or copy it again');

/** A number where it is exact. */
export function plain(value: bigint): number | bigint {
  return BigInt.asIntN(54, value) === value ? Number(value) : value;
}
