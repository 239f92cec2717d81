/** A journal that is cut, damaged, or has lines of another run: each is noticed, nothing of it is believed. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { drawTotals, type Finished, type JournalLine } from '../../src/run/finished.js';
import { type RunIdentity, sealOf } from '../../src/run/identity.js';
import { Journal } from '../../src/run/journal.js';
import { writeLine } from '../../src/run/journal-line.js';
import { identity } from './finished-sweeps.js';
import { drawSums, sums } from './sums.js';

const seal = sealOf(identity);
const lines: JournalLine[] = Array.from({ length: 12 }, (_, i) =>
  i % 4 === 0
    ? { type: 'original', chunk: i / 4, slices: [{ slice: i / 4, ...sums() }] }
    : {
        type: 'target',
        layer: `conv${i % 4}`,
        reset: 'random',
        chunk: Math.floor(i / 4),
        draws: [drawSums(Math.floor(i / 4), { cosine: Math.sin(i) ** 2, change: 1 / (i + 1) })],
      },
);
const whole = Buffer.from(lines.map((line) => writeLine(line, seal)).join(''));

/** What is believed, by line. */
const believed = (finished: Finished) =>
  lines.map((line) =>
    line.type === 'original'
      ? (finished.original.get(line.chunk) ?? null)
      : (finished.chunksOf(line.layer, line.reset).get(line.chunk) ?? null),
  );
const expected = lines.map((line) => (line.type === 'original' ? line.slices : { draws: line.draws }));

/**
 * Opens a damaged journal, computes again what lacks, and closes it. Thousands of them: what is wrong is thrown.
 * @returns which lines lacked
 */
async function repaired(path: string, bytes: Uint8Array): Promise<number[]> {
  writeFileSync(path, bytes);
  const { journal, finished } = await Journal.open(path, seal);
  const found = believed(finished);
  const lacking = found.flatMap((one, i) => (one === null ? [i] : []));
  for (const [i, one] of found.entries()) if (one !== null) assert.deepEqual(one, expected[i]);
  const added = journal.append(lacking.map((i) => lines[i]!));
  await journal.flush();
  await added;
  await journal.close();
  const again = await Journal.open(path, seal);
  await again.journal.close();
  assert.deepEqual(again.damaged, [], 'what was damaged is gone');
  assert.deepEqual(believed(again.finished), expected);
  return lacking;
}

t.test('cut at every byte of its last three lines it loses just what was cut', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const ends = [...whole.entries()].flatMap(([at, byte]) => (byte === 0x0a ? [at + 1] : []));
  let cuts = 0;
  for (let length = ends.at(-4)!; length < whole.length; length++) {
    const lost = ends.filter((end) => end > length).length;
    const lacking = await repaired(path, whole.subarray(0, length));
    if (lacking.length !== lost) t.fail(`cut at ${length}: ${lacking}`);
    else cuts++;
  }
  t.equal(cuts, whole.length - ends.at(-4)!);
});

t.test('of 1,000 flipped bits each is noticed', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  let state = 1;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  let noticed = 0;
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.from(whole);
    const bit = below(8 * bytes.length);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const lacking = await repaired(path, bytes);
    // A flipped end of a line makes one of two.
    if (lacking.length < 1 || lacking.length > 2) t.fail(`bit ${bit}: ${lacking}`);
    else noticed++;
  }
  t.equal(noticed, 1000);
});

t.test('of 300 changed digits each is noticed', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const digits = [...whole.entries()].flatMap(([at, byte]) => (byte >= 0x30 && byte <= 0x39 ? [at] : []));
  let noticed = 0;
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(whole);
    const at = digits[Math.floor((i * digits.length) / 300)]!;
    bytes[at] = 0x30 + ((bytes[at]! - 0x30 + 1 + (i % 9)) % 10);
    const lacking = await repaired(path, bytes);
    if (lacking.length === 1) noticed++;
    else t.fail(`byte ${at}: ${lacking}`);
  }
  t.equal(noticed, 300);
});

t.test('a line of another run does not count, and is named', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const others: RunIdentity[] = [
    { ...identity, options: { seed: 1 } },
    { ...identity, model: { ...identity.model, sha256: 'ab' } },
    { ...identity, data: { ...identity.data, fingerprint: 'bc' } },
  ];
  for (const other of others) {
    const foreign = writeLine(lines[1]!, sealOf(other));
    writeFileSync(path, `${writeLine(lines[0]!, seal)}${foreign}${writeLine(lines[2]!, seal)}`);
    const { journal, finished, damaged } = await Journal.open(path, seal);
    await journal.close();
    t.strictSame(
      damaged.map(({ number }) => number),
      [2],
    );
    t.strictSame(drawTotals(finished.chunksOf('conv1', 'random')), []);
    t.strictSame(drawTotals(finished.chunksOf('conv2', 'random')).length, 1);
    t.notMatch(readFileSync(path, 'utf8'), '"layer":"conv1"');
  }
});

t.test('a seal covers what decides the numbers, and nothing else', async (t) => {
  const { model, data, options } = identity;
  t.equal(sealOf({ options: { ...options }, data: { ...data, source: 'elsewhere/' }, model }), seal);
  t.equal(sealOf({ data, model: { ...model, name: 'other' }, options }), seal);
  const one = sealOf({ model, data, options: { a: 1, b: { c: [1], d: null } } });
  t.equal(
    sealOf({ model, data, options: { b: { d: null, c: [1] }, a: 1 } }),
    one,
    'whatever the order of keys',
  );
  t.not(sealOf({ model, data, options: { a: 1, b: { c: [2], d: null } } }), one);
});
