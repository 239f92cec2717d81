/** Floats in a card's memory for scripts: a card that is opened, and its buffers. */
import { types } from 'node:util';
import { CritmapError, messageOf } from '../errors.js';
import { native } from './addon.js';
import type { BufferHandle, CardHandle } from './card.js';
import { cardsOf } from './cards.js';
import type { Comparison } from './comparison.js';
import type { ResetOptions, ResetRule } from './reset-rule.js';

/**
 * Opens a card to compute on with `resetWeights` and `compareLogits`, without a sweep. What is asked of it is done in the
 * order of the calls, on a thread of its own; the event loop waits for nothing.
 *
 * @param device as `--device` names one: `cuda`, which is card 0, or `cuda:N`
 * @throws CritmapError (ERR_OPTION) for other words, (ERR_NATIVE) when there is no such card or it cannot be used
 */
export async function openCard(device = 'cuda'): Promise<Card> {
  if (typeof device !== 'string') throw new TypeError('device must be a string such as cuda:0');
  const [index, ...more] = cardsOf(device) ?? [];
  if (index === undefined || more.length > 0) {
    throw new CritmapError('ERR_OPTION', `--device ${device} is not one card; give cuda or cuda:N`);
  }
  const id = `cuda:${index}`;
  const { name = id, memoryBytes = 0 } = native().cuda().devices[index] ?? {};
  return new Card(await on(id, native().card.open(index)), { id, name, memoryBytes });
}

/** Names what fails by the card where it does. */
async function on<T>(id: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 'ERR_CUDA' && code !== 'ERR_DEVICE_LOST') throw error;
    const remedy = code === 'ERR_DEVICE_LOST' ? '; another process may use it' : '';
    throw new CritmapError('ERR_NATIVE', `${id}: ${messageOf(error)}${remedy}`, { cause: error });
  }
}

/** A card that {@link openCard} opened, with a stream of its own. */
export class Card {
  /** As `--device` names it: `cuda:0`. */
  readonly id: string;
  /** What the driver calls it. */
  readonly name: string;
  /** Of all its memory. */
  readonly memoryBytes: number;
  readonly #handle: CardHandle;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    handle: CardHandle,
    { id, name, memoryBytes }: { id: string; name: string; memoryBytes: number },
  ) {
    this.#handle = handle;
    this.id = id;
    this.name = name;
    this.memoryBytes = memoryBytes;
  }

  /**
   * Memory of the card.
   * @param values what is in it, copied at the call; or how many zeros
   * @throws CritmapError (ERR_NATIVE) when the card has not so much left, TypeError when it is closed
   */
  async buffer(values: number | Float32Array): Promise<DeviceBuffer> {
    const isArray = types.isFloat32Array(values);
    if (!isArray && typeof values !== 'number')
      throw new TypeError('a buffer is made of a length or a Float32Array');
    if (!isArray && (!Number.isSafeInteger(values) || values < 0)) {
      throw new RangeError(`the length of a buffer must be a whole number from 0, got ${values}`);
    }
    const length = isArray ? values.length : values;
    const handle = await on(this.id, native().card.take(this.#handle, values));
    return new DeviceBuffer(handle, length, this.id);
  }

  /** Resolves when all that was asked of the card before is done. */
  async synchronize(): Promise<void> {
    await on(this.id, native().card.synchronize(this.#handle));
  }

  /**
   * Frees its buffers, which cannot be used any more, after what was asked before; also when called again. A card that
   * nobody holds any more, nor a buffer of it, is closed by the garbage collector.
   */
  close(): Promise<void> {
    this.#closing ??= on(this.id, native().card.close(this.#handle)).then(() => {});
    return this.#closing;
  }

  /** Closes it, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Float32 numbers in the memory of a {@link Card}. */
export class DeviceBuffer {
  /** How many there are. */
  readonly length: number;
  /** The card, as `--device` names it. */
  readonly card: string;
  readonly #handle: BufferHandle;

  /** @internal */
  constructor(handle: BufferHandle, length: number, card: string) {
    this.#handle = handle;
    this.length = length;
    this.card = card;
  }

  /**
   * @param values copied at the call; the array may be used for something else
   * @param offset where they go, in elements
   * @throws RangeError when they go beyond the end, TypeError when the buffer is disposed or its card closed
   */
  async write(values: Float32Array, offset = 0): Promise<void> {
    await on(this.card, native().card.write(this.#handle, values, offset));
  }

  /** What is in it after all that was asked before. @throws TypeError when it is disposed or its card closed */
  async read(): Promise<Float32Array> {
    return on(this.card, native().card.read(this.#handle));
  }

  /** Frees the memory, after what was asked before; the garbage collector does so when nobody holds the buffer. */
  dispose(): void {
    native().card.release(this.#handle);
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  async reset(rule: ResetRule, options: ResetOptions): Promise<void> {
    await on(this.card, native().card.reset(this.#handle, rule, options));
  }

  /** @internal */
  async compare(changed: DeviceBuffer, classes: number, labels?: Int32Array): Promise<Comparison> {
    return on(this.card, native().card.compare(this.#handle, changed.#handle, classes, labels));
  }
}
