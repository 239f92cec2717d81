import t from 'tap';
import { fromBfloat16, fromFloat16 } from '../../src/files/half-floats.js';

// IEEE 754-2008, binary16: 1 sign, 5 exponent, 10 fraction bits.
t.test('float16 keeps its value: subnormal, largest, signed zero, infinite, none', async (t) => {
  const bits = [0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x3555, 0x8000, 0x7c00, 0xfc00, 0x7e00];
  const values = new Float32Array(bits.length);
  fromFloat16(Uint16Array.from(bits), values);
  const small = 2 ** -24;
  const third = 0.333251953125;
  t.strictSame(
    [...values],
    [1, -2, small, 1023 * small, 2 ** -14, 65504, third, -0, Infinity, -Infinity, NaN],
  );
});

t.test('bfloat16 is the upper half of a float32, into a part of an array too', async (t) => {
  const values = new Float32Array(4);
  fromBfloat16(Uint16Array.of(0x3f80, 0xc040, 0x0001), values.subarray(1));
  t.strictSame([...values], [0, 1, -3, 2 ** -133]);
});
