/** The stack machine that a pickle is a program for: it builds values, and bounds what they take. */
import {
  damaged,
  PickledTensor,
  PickleError,
  PickleGlobal,
  PickleRecord,
  type PickleValue,
  plain,
  type TypedStorage,
} from './pickle-values.js';

export interface PickleHost {
  /** @throws PickleError for a name that only an attack has a use for */
  global(module: string, name: string): PickleGlobal;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): TypedStorage;
  /** What the values may take in memory. */
  readonly mostBytes: number;
}

/** In place of a mark on the stack, so that `undefined` can mean that the stack is empty. */
const MARK = Symbol('mark');
type Item = PickleValue | typeof MARK;
/** Bytes of a long integer; PyTorch's own need 10. */
const MOST_LONG_BYTES = 64;
/** Bytes that V8 takes, at most: for a value and its places on the stack and in a container; more for the others. */
const VALUE_BYTES = 48;
const LIST_BYTES = 48;
const MAP_BYTES = 240;
const MEMO_BYTES = 48;
const RAW_BYTES = 256;
/** A tensor's own copy of its shape and strides. */
const DIMENSION_BYTES = 16;

/** The stack, the memo and the bytes of one pickle, as its operations use them. */
export class Machine {
  #at: number;
  readonly #stack: Item[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #spent = 0;

  constructor(
    private readonly bytes: Buffer,
    start: number,
    private readonly host: PickleHost,
    /** By code. */
    private readonly operations: Readonly<Record<number, (machine: Machine) => void>>,
  ) {
    this.#at = start;
  }

  run(): { value: PickleValue; end: number } {
    for (;;) {
      const code = this.#byte();
      if (code === 0x2e) return { value: this.#pop(), end: this.#at };
      const operation = this.operations[code];
      if (!operation) throw damaged(`byte ${this.#at - 1} is no operation`);
      operation(this);
      this.spend(VALUE_BYTES);
    }
  }

  spend(bytes: number): void {
    this.#spent += bytes;
    if (this.#spent > this.host.mostBytes) {
      throw new PickleError(
        'its pickle makes more objects than a checkpoint of its size can need',
        'save just model.state_dict()',
      );
    }
  }

  // Reading bytes.
  #take(length: number): number {
    const from = this.#at;
    if (length > this.bytes.length - from) {
      throw new PickleError('its pickle ends too early', 'download or copy it again', true);
    }
    this.#at = from + length;
    return from;
  }

  #byte(): number {
    return this.bytes[this.#take(1)]!;
  }

  uint(width: 1 | 2 | 4): number {
    return this.bytes.readUIntLE(this.#take(width), width);
  }

  int32(): number {
    return this.bytes.readInt32LE(this.#take(4));
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.#take(8));
  }

  /** A length of 8 bytes. */
  length64(): number {
    const length = this.bytes.readBigUInt64LE(this.#take(8));
    // Too long for any file, whatever it is.
    return length > 2n ** 53n ? 2 ** 53 : Number(length);
  }

  text(length: number, encoding: 'utf8' | 'latin1'): string {
    const from = this.#take(length);
    return this.bytes.toString(encoding, from, from + length);
  }

  /** A copy: what is kept must not keep the whole pickle. */
  raw(length: number): Uint8Array {
    const from = this.#take(length);
    return new Uint8Array(this.bytes.subarray(from, from + length));
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.#at);
    const length = (end < 0 ? this.bytes.length : end) - this.#at;
    const text = this.text(length, 'latin1');
    this.#take(1);
    return text;
  }

  /** Little-endian two's complement. */
  long(length: number): PickleValue {
    if (length > MOST_LONG_BYTES) throw damaged(`an integer of ${length} bytes`);
    const raw = this.raw(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i]!);
    return plain(BigInt.asIntN(8 * length, value));
  }

  // The stack.
  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** A list, tuple or set. */
  pushList(items: PickleValue[]): void {
    this.spend(LIST_BYTES);
    this.push(items);
  }

  /** Bytes, whose object takes more than what is in it. */
  pushRaw(length: number): void {
    this.spend(RAW_BYTES);
    this.push(this.raw(length));
  }

  /** A dict and what is in it. */
  pushDict(items: readonly PickleValue[]): void {
    if (items.length % 2 !== 0) throw damaged('a key has no value');
    this.spend(MAP_BYTES);
    const entries = new Map<PickleValue, PickleValue>();
    addEntries(entries, items);
    this.push(entries);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  /** POP, which also takes a mark away. */
  drop(): void {
    if (this.#stack.pop() === undefined) throw damaged('the stack is empty');
  }

  #pop(): PickleValue {
    const item = this.#stack.pop();
    if (item === undefined || item === MARK) throw damaged('the stack is empty');
    return item;
  }

  pop(): PickleValue {
    return this.#pop();
  }

  popText(): string {
    const value = this.#pop();
    if (typeof value !== 'string') throw damaged('a name is not text');
    return value;
  }

  popTuple(): PickleValue[] {
    const value = this.#pop();
    if (!Array.isArray(value)) throw damaged('arguments are not a tuple');
    return value;
  }

  popGlobal(): PickleGlobal {
    return callable(this.#pop());
  }

  popMany(count: number): PickleValue[] {
    const items = new Array<PickleValue>(count);
    for (let i = count - 1; i >= 0; i--) items[i] = this.#pop();
    return items;
  }

  /** Everything above the last mark. */
  popMarked(): PickleValue[] {
    const items: PickleValue[] = [];
    for (;;) {
      const item = this.#stack.pop();
      if (item === undefined) throw damaged('a mark is missing');
      if (item === MARK) return items.reverse();
      items.push(item);
    }
  }

  top(): PickleValue {
    const item = this.#stack.at(-1);
    if (item === undefined || item === MARK) throw damaged('the stack is empty');
    return item;
  }

  // The memo.
  store(key: number): void {
    this.spend(MEMO_BYTES);
    this.#memo.set(key, this.top());
  }

  memoize(): void {
    this.store(this.#memo.size);
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw damaged(`entry ${key} of the memo is missing`);
    this.push(value);
  }

  // Objects.
  global(module: string, name: string): void {
    this.push(this.host.global(module, name));
  }

  persistent(id: PickleValue): void {
    this.push(this.host.persistent(id));
  }

  call({ name, build, isKnown }: PickleGlobal, args: readonly PickleValue[]): void {
    // A container of the arguments' elements costs as much as they did; records and tensors cost less than a dict.
    this.spend(MAP_BYTES + VALUE_BYTES * (Array.isArray(args[0]) ? args[0].length : 0));
    const made = build ? build(args) : new PickleRecord(name, args, isKnown);
    if (made instanceof PickledTensor) this.spend(DIMENSION_BYTES * made.tensor.shape.length);
    this.push(made);
  }

  append(items: readonly PickleValue[]): void {
    const target = this.top();
    const list = Array.isArray(target) ? target : target instanceof PickleRecord ? target.items : undefined;
    if (!list) throw damaged('it appends to what is not a list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly PickleValue[]): void {
    const target = this.top();
    const entries =
      target instanceof Map ? target : target instanceof PickleRecord ? target.entries : undefined;
    if (!entries || items.length % 2 !== 0) throw damaged('it sets items of what is not a dict');
    addEntries(entries, items);
  }

  /** Attributes of an object; of a container or a tensor they say nothing that is needed. */
  build(): void {
    const state = this.#pop();
    const target = this.top();
    if (target instanceof PickleRecord) target.state = state;
    else if (!(target instanceof Map || target instanceof PickledTensor || Array.isArray(target))) {
      throw damaged('it gives attributes to what has none');
    }
  }
}

/** A name, or what an unknown one gave: Python would call it, here it is one more inert value. */
export function callable(value: PickleValue | undefined): PickleGlobal {
  if (value instanceof PickleGlobal) return value;
  if (value instanceof PickleRecord && !value.isKnown) return new PickleGlobal(value.name, undefined, false);
  throw damaged('it calls what is not a name');
}

function addEntries(entries: Map<PickleValue, PickleValue>, items: readonly PickleValue[]): void {
  for (let i = 0; i < items.length; i += 2) entries.set(items[i]!, items[i + 1]!);
}
