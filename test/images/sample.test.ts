import t from 'tap';
import { sampleIndices } from '../../src/images/sample.js';

t.test('a sample is a fixed function of seed, total and count', async (t) => {
  // From an independent Philox4x32-10 with Python integers: key = seed, counter = (i, 0, 0x53414d50, 0),
  // the `count` smallest of (word0 << 32 | word1) >> 11.
  t.same([...sampleIndices(100, 8, 0)], [8, 17, 53, 63, 77, 78, 84, 97]);
  t.same([...sampleIndices(100, 8, 1)], [23, 46, 50, 56, 64, 66, 69, 72]);
  t.same([...sampleIndices(100, 8, 2 ** 32)], [5, 10, 18, 19, 54, 61, 68, 81]);
  t.same([...sampleIndices(10, 3, 7)], [0, 6, 7]);
});

t.test('a sample is ascending, without repeats, and within the source', async (t) => {
  const indices = sampleIndices(5000, 1234, 42);
  t.equal(indices.length, 1234);
  t.ok(indices.every((index, at) => at === 0 || index > indices[at - 1]!));
  t.ok(indices.at(-1)! < 5000);
});

t.test('a larger sample with the same seed contains the smaller one', async (t) => {
  const large = new Set(sampleIndices(1000, 300, 3));
  t.ok(sampleIndices(1000, 100, 3).every((index) => large.has(index)));
});

t.test('asking for as many as there are, or more, takes all of them', async (t) => {
  t.same([...sampleIndices(4, 4, 9)], [0, 1, 2, 3]);
  t.same([...sampleIndices(4, 1000, 9)], [0, 1, 2, 3]);
});

t.test('every index is about equally likely to be drawn', async (t) => {
  const drawn = new Array<number>(20).fill(0);
  for (let seed = 0; seed < 2000; seed++) for (const index of sampleIndices(20, 5, seed)) drawn[index]!++;
  // Binomial(2000, 1/4): mean 500, standard deviation 19.4; five of them on either side.
  t.ok(
    drawn.every((count) => Math.abs(count - 500) < 97),
    drawn.join(' '),
  );
});
