/** Half-precision numbers as float32 of the same value, subnormal ones too. */

/** @param target as many elements as `bits` has */
export function fromFloat16(bits: Uint16Array, target: Float32Array): void {
  halves ??= halfTable();
  for (let i = 0; i < bits.length; i++) target[i] = halves[bits[i]!]!;
}

/**
 * A bfloat16 is a float32's upper half.
 * @param target as many elements as `bits` has
 */
export function fromBfloat16(bits: Uint16Array, target: Float32Array): void {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
}

/** The value of every float16, by its bits: 1 sign, 5 exponent (bias 15), 10 fraction. */
let halves: Float32Array | undefined;

function halfTable(): Float32Array {
  return Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
