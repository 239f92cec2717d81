import t from 'tap';
import { philox4x32 } from '../../src/images/philox.js';

function block(counter: [number, number, number, number], key: [number, number]): string {
  const out = new Uint32Array(4);
  philox4x32(...counter, ...key, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ');
}

t.test('Philox4x32-10 gives the known answers of Random123 1.14, tests/kat_vectors', async (t) => {
  const ones = 0xffffffff;
  t.equal(block([0, 0, 0, 0], [0, 0]), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  t.equal(block([ones, ones, ones, ones], [ones, ones]), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  t.equal(
    block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  );
});
