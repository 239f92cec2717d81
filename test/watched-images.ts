/** Images whose reads a test watches. */
import type { ImageSet } from '../src/index.js';

/** The same images; `around` is called for every read, and reads when it calls `read`. */
export function watched(
  images: ImageSet,
  around: (read: () => Promise<void>, out: Float32Array) => Promise<void>,
): ImageSet {
  return new Proxy(images, {
    get(target, name) {
      if (name === 'read') {
        return (...args: Parameters<ImageSet['read']>) => around(() => target.read(...args), args[2]);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
