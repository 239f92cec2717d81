/** An engine as the code that plans and sweeps uses it: its handle, and constants that are copied once. */
import { setImmediate } from 'node:timers/promises';
import { native } from './addon.js';
import type { EngineHandle, EngineImages, EngineOptions, EngineProgram, EngineStats } from './engine.js';

/** An engine with its handle, for the code that plans and sweeps. Rejects and throws as {@link NativeEngine}. */
export class OpenEngine {
  readonly #engine: EngineHandle;
  /** Constants that this engine has, so that none is copied twice. */
  readonly #constants = new WeakMap<Float32Array, number>();

  constructor(options: EngineOptions) {
    this.#engine = native().engine.open(options);
  }

  addSession(
    model: Uint8Array,
    name: string,
    {
      optimise = true,
      constantConvolutions = false,
      externals = [],
    }: {
      optimise?: boolean;
      constantConvolutions?: boolean;
      externals?: readonly { name: string; values: Float32Array; dims: number[] }[];
    } = {},
  ): Promise<number> {
    const found = externals.map(({ name, values, dims }) => ({
      name,
      dims,
      constant: this.#constant(values),
    }));
    return native().engine.addSession(this.#engine, model, name, {
      ...{ optimise, constantConvolutions, externals: found },
    });
  }

  /** Copies numbers that sessions and programs will use, a few at a time so that the event loop goes on. */
  async addConstants(constants: Iterable<Float32Array>): Promise<void> {
    let copied = 0;
    for (const values of constants) {
      if (copied > MOST_COPIED) {
        await setImmediate();
        copied = 0;
      }
      if (!this.#constants.has(values)) copied += values.byteLength;
      this.#constant(values);
    }
  }

  /** Copies the program's constants and loads it. */
  async load(program: EngineProgram): Promise<void> {
    await this.addConstants(program.constants);
    const constants = program.constants.map((values) => this.#constant(values));
    native().engine.load(this.#engine, { ...program, constants });
  }

  execute(
    images: EngineImages,
    count: number,
    labels: Int32Array | undefined,
    active: Uint8Array,
    keys?: BigUint64Array,
    keepsLogits = false,
  ): Promise<Float64Array> {
    return native().engine.execute(this.#engine, images, count, labels, active, keys, keepsLogits);
  }

  logits(images: EngineImages, count: number, cell?: number, keys?: BigUint64Array): Promise<Float64Array> {
    return native().engine.logits(this.#engine, images, count, cell, keys);
  }

  cancel(): void {
    native().engine.cancel(this.#engine);
  }

  close(): Promise<void> {
    return native().engine.close(this.#engine);
  }

  stats(): EngineStats {
    return native().engine.stats(this.#engine);
  }

  #constant(values: Float32Array): number {
    const known = this.#constants.get(values);
    if (known !== undefined) return known;
    const index = native().engine.addConstant(this.#engine, values);
    this.#constants.set(values, index);
    return index;
  }
}

/**
 * Whether something failed because of a card that this process cannot use any more: everything else that it asks of the
 * card fails too, while another process may use it.
 */
export const isDeviceLost = (error: unknown): boolean => isBecauseOf(error, 'ERR_DEVICE_LOST');

/** Whether something failed because a card has not enough memory for it. */
export const isDeviceFull = (error: unknown): boolean => isBecauseOf(error, 'ERR_DEVICE_FULL');

const isBecauseOf = (error: unknown, code: string): boolean =>
  error instanceof Error &&
  ((error as NodeJS.ErrnoException).code === code || isBecauseOf(error.cause, code));

/** Bytes copied between two turns of the event loop: some milliseconds' worth. */
const MOST_COPIED = 8 * 2 ** 20;
export const nativeEngine = {
  /** Loads the library on first use and opens an engine; throws Error with what the loader said. */
  open: (options: EngineOptions): OpenEngine => new OpenEngine(options),
};
