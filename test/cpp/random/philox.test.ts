import t from 'tap';
import { native } from '../../../src/native/addon.js';
import { philox, words } from '../oracle.js';

const { internal } = native();
const block = (counter: number[], key: number[]) => [
  ...internal!.philox(Uint32Array.from(counter), Uint32Array.from(key)),
];

t.test('Philox4x32-10 gives the Random123 known answers', async (t) => {
  // Random123 1.14, tests/kat_vectors, lines "philox4x32 10".
  const known: [number[], number[], number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, answer] of known) t.strictSame(block(counter, key), answer);
});

t.test('the test oracle agrees with the native block on any counter and key', async (t) => {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  for (let i = 0; i < 200; i++) {
    const counter = [next(), next(), next(), next()];
    const key = [next(), next()];
    t.strictSame(block(counter, key), philox(counter, key));
  }
});

t.test('element e of a uniform reset takes word e % 4 of block e / 4, low key word first', async (t) => {
  const key = 0x0123456789abcdefn;
  const drawn = new Float32Array(1001);
  native().reset(drawn, { kind: 'uniform', low: 0, high: 1, key });
  const expected = Float32Array.from(words(key, drawn.length), (word) => (word >>> 8) / 2 ** 24);
  t.strictSame(drawn, expected);
});
