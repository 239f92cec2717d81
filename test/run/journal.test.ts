import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  addSums,
  drawTotals,
  type JournalLine,
  type SliceSums,
  sliceTotals,
  type TargetChunk,
} from '../../src/run/finished.js';
import { Journal, readJournal } from '../../src/run/journal.js';
import { writeLine } from '../../src/run/journal-line.js';
import { drawSums, sums } from './sums.js';

const seal = 77;

const line = (chunk: number): JournalLine => ({
  type: 'target',
  layer: 'conv1',
  reset: 'random',
  chunk,
  draws: [drawSums(2 * chunk), drawSums(2 * chunk + 1)],
});
const original: JournalLine = {
  type: 'original',
  chunk: 0,
  slices: [{ slice: 0, ...sums({ top1: 5, top5: 9, loss: 3.25 }) }],
};

t.test('a line that was appended is there when the journal is read again', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path, seal);
  await journal.append([line(0), original]);
  await journal.append([line(1)]);
  await journal.close();
  const finished = await readJournal(path, seal);
  t.strictSame(
    [...finished.chunksOf('conv1', 'random')],
    [
      [0, { draws: [drawSums(0), drawSums(1)] }],
      [1, { draws: [drawSums(2), drawSums(3)] }],
    ],
  );
  t.strictSame([...finished.original], [[0, original.slices]]);
  t.equal(finished.chunksOf('conv2', 'random').size, 0);
  t.equal(finished.chunksOf('conv1', 'zero').size, 0);
});

t.test('appends made at once are written whole and in order', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path, seal);
  await Promise.all(Array.from({ length: 50 }, (_, chunk) => journal.append([line(chunk)])));
  await journal.close();
  const chunks = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text).chunk);
  t.strictSame(
    chunks,
    Array.from({ length: 50 }, (_, chunk) => chunk),
  );
});

t.test('a torn last line is cut off, and the next line starts afresh', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const first = await Journal.open(path, seal);
  await first.journal.append([line(0)]);
  await first.journal.close();
  const whole = readFileSync(path, 'utf8');
  // Every way in which a second line can be cut.
  const second = writeLine(line(1), seal);
  for (let length = 0; length < second.length; length += 7) {
    writeFileSync(path, whole + second.slice(0, length));
    t.equal((await readJournal(path, seal)).chunksOf('conv1', 'random').size, 1);
    const { journal, finished } = await Journal.open(path, seal);
    t.equal(finished.chunksOf('conv1', 'random').size, 1);
    await journal.append([line(2)]);
    await journal.close();
    t.strictSame([...(await readJournal(path, seal)).chunksOf('conv1', 'random').keys()], [0, 2]);
  }
});

t.test('a damaged line that is not the last is refused by its number', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  for (const bad of ['{"type":"target"}', 'nonsense', '{"type":"cell","layer":"conv1","images":10}', '']) {
    writeFileSync(path, `${writeLine(line(0), seal)}${bad}\n${writeLine(line(1), seal)}`);
    await t.rejects(
      readJournal(path, seal),
      { code: 'ERR_RUN', message: /line 2 damaged or of another run/ },
      bad,
    );
  }
});

t.test('a chunk counts once, however often it was written', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  appendFileSync(path, `${writeLine(line(0), seal) + writeLine(original, seal)}`.repeat(3));
  const finished = await readJournal(path, seal);
  t.strictSame(
    drawTotals(finished.chunksOf('conv1', 'random')).map(({ images }) => images),
    [10, 10],
  );
  t.equal(sliceTotals(finished.original)[0]?.images, 10);
});

t.test('totals are the same bits in whatever order the chunks were finished', async (t) => {
  // Slices that lie across chunks: 1 is in chunks 0 and 1, and so on.
  const chunks = Array.from({ length: 20 }, (_, chunk): [number, TargetChunk] => {
    const part = (slice: number, trial: number) =>
      drawSums(slice, { trial, cosine: Math.sin(chunk + 31 * slice + trial) / 3 });
    return [chunk, { draws: [part(chunk, 0), part(chunk, 1), part(chunk + 1, 0), part(chunk + 1, 1)] }];
  });
  const expected = drawTotals(new Map(chunks));
  t.strictSame(
    expected.map(({ slice, trial, images }) => [slice, trial, images]),
    Array.from({ length: 21 }, (_, slice) =>
      [0, 1].map((trial) => [slice, trial, slice % 20 ? 20 : 10]),
    ).flat(),
    'by slice, then trial',
  );
  t.strictSame(drawTotals(new Map([...chunks].reverse())), expected);
  t.strictSame(drawTotals(new Map([...chunks.slice(7), ...chunks.slice(0, 7)])), expected);
  const slices = chunks.map(([chunk, { draws }]) => [chunk, draws] as [number, SliceSums[]]);
  t.strictSame(sliceTotals(new Map([...slices].reverse())), sliceTotals(new Map(slices)));
  t.strictSame(drawTotals(new Map()), []);
});

t.test('sums add up name by name, and what labels give stays away without labels', async (t) => {
  const total = addSums(sums({ cosine: 0.25 }), sums({ cosine: 0.5, agreement: 3 }));
  t.strictSame(total, {
    ...sums(),
    images: 20,
    agreement: 10,
    cosine: 0.75,
    cosineSquares: 0.02,
    l1: 0.4,
    l2: 0.6,
    kl: 0.8,
    js: 1,
    publishedCrossEntropy: -6,
  });
  const first = sums();
  t.not(addSums(undefined, first), first, 'the sums themselves are not changed later');
  t.strictSame(addSums(undefined, first), first);
});

t.test('of many lines some are written at a time, in their order', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path, seal);
  let writes = 0;
  journal.onWrite = () => writes++;
  // Three megabytes each.
  const draws = Array.from({ length: 48_000 }, (_, i) => drawSums(i));
  await journal.appendAll(
    Array.from({ length: 9 }, (_, chunk) => ({ ...line(chunk), draws }) as JournalLine),
  );
  await journal.close();
  t.ok(writes > 2 && writes < 9, `${writes} writes`);
  t.strictSame(
    [...(await readJournal(path, seal)).chunksOf('conv1', 'random').keys()],
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
});
