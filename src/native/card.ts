/** A card's memory without an engine, as the addon has it; `open-card.ts` makes objects of these calls. */
import type { Comparison } from './comparison.js';
import type { ResetOptions, ResetRule } from './reset-rule.js';

declare const isCard: unique symbol;
/** A card that is open; closed by {@link NativeCards.close}, by the garbage collector, or with its thread. */
export interface CardHandle {
  readonly [isCard]: true;
}

declare const isBuffer: unique symbol;
/** Floats in a card's memory; freed by {@link NativeCards.release}, by the garbage collector, or with the card. */
export interface BufferHandle {
  readonly [isBuffer]: true;
}

/**
 * A thread of its own does what is asked of a card, in the order of the calls; no call waits for it. Arrays are copied at
 * the call. What fails on the card rejects with an Error of code `ERR_CUDA`, or `ERR_DEVICE_LOST` where this process can
 * compute nothing on it any more; a buffer that is released, a card that is
 * closed and buffers of two cards are a TypeError.
 */
export interface NativeCards {
  /** By CUDA's number. */
  open(index: number): Promise<CardHandle>;
  /** A new buffer: so many zeros, or these values. */
  take(card: CardHandle, values: number | Float32Array): Promise<BufferHandle>;
  /** Values from `offset` on. */
  write(buffer: BufferHandle, values: Float32Array, offset: number): Promise<unknown>;
  read(buffer: BufferHandle): Promise<Float32Array>;
  /** As `Native.reset`. Resolves when the work is queued on the card. */
  reset(buffer: BufferHandle, rule: ResetRule, options?: ResetOptions): Promise<unknown>;
  /** As `Native.compare`. */
  compare(
    original: BufferHandle,
    changed: BufferHandle,
    classes: number,
    labels?: Int32Array,
  ): Promise<Comparison>;
  /** Frees the memory after what was asked before; as often as wanted. */
  release(buffer: BufferHandle): void;
  /** When all that was asked before is done. */
  synchronize(card: CardHandle): Promise<unknown>;
  /** The same; its buffers are freed, and nothing can be asked any more. */
  close(card: CardHandle): Promise<unknown>;
}
