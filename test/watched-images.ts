/** Images whose reads a test watches. */
import type { ImageSet } from '../src/index.js';

/** The same images; `around` is called for every read, and reads when it calls `read`. */
export function watched(
  images: ImageSet,
  around: (read: () => Promise<void>, out: Float32Array | Uint8Array) => Promise<void>,
): ImageSet {
  return new Proxy(images, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'read' && name !== 'readPixels') return value.bind(target);
      return (...args: [number, number, Float32Array | Uint8Array]) =>
        around(() => value.apply(target, args), args[2]);
    },
  });
}
