/**
 * Weights and images that the tests and the Python that made their expected logits both make by one rule, so that
 * none are stored: see `test/oracle/make_architecture_golden.py`.
 */
import { elementCount } from '../../src/onnx/tensors.js';

/** `count` numbers on [0, 1) of 24 bits: FNV-1a of the name, then the index through MurmurHash3's finaliser. */
function uniform(name: string, count: number, use: (u: number, i: number) => number): Float32Array {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + hash) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    values[i] = use((x >>> 8) / 2 ** 24, i);
  }
  return values;
}

/** A parameter's values, by its PyTorch name and shape. */
export function parameterByRule(name: string, shape: readonly number[]): Float32Array {
  const count = elementCount(shape);
  if (/[._]weight$/.test(name) && shape.length > 1) {
    const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
    return uniform(name, count, (u) => (2 * u - 1) * bound);
  }
  if (/\.(weight|gamma|running_var)$/.test(name)) return uniform(name, count, (u) => 0.5 + u);
  return uniform(name, count, (u) => (2 * u - 1) / 2);
}

/** N x C x H x W; the second image has nine times the contrast of the first. */
export function imagesByRule(shape: readonly number[]): Float32Array {
  const each = elementCount(shape.slice(1));
  return uniform('images', elementCount(shape), (u, i) => (2 * u - 1) * (2 * Math.floor(i / each) + 1) ** 2);
}
