/** What is measured of trained values. They never change and every trial asks for it again, so it is kept as long as they are. */
import { native } from '../native/addon.js';

const norms = new WeakMap<Float32Array, number>();

/** `measure()` of these values, the first time. */
export function measured<T>(known: WeakMap<Float32Array, T>, values: Float32Array, measure: () => T): T {
  let found = known.get(values);
  if (found === undefined) {
    found = measure();
    known.set(values, found);
  }
  return found;
}

/** The Euclidean norm. */
export const norm = (values: Float32Array): number =>
  measured(norms, values, () => native().norms(values, values).original);
