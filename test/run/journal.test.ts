import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ChunkSums, Journal, type JournalLine, readJournal, total } from '../../src/run/journal.js';

const sums = (chunk: number, extra: Partial<ChunkSums> = {}): ChunkSums => ({
  chunk,
  images: 10,
  invalid: 0,
  agreement: 7,
  cosine: 0.1,
  cosineSquares: 0.01,
  l1: 0.2,
  l2: 0.3,
  kl: 0.4,
  js: 0.5,
  publishedCrossEntropy: -3,
  ...extra,
});
const cell = (chunk: number, trial = 0): JournalLine => ({
  type: 'cell',
  layer: 'conv1',
  reset: 'random',
  trial,
  ...sums(chunk),
});

t.test('a line that was appended is there when the journal is read again', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path);
  await journal.append([cell(0), { type: 'original', ...sums(0, { top1: 5, top5: 9, loss: 3.25 }) }]);
  await journal.append([cell(1)]);
  await journal.close();
  const finished = await readJournal(path);
  t.strictSame([...finished.chunksOf('conv1', 'random', 0).values()], [sums(0), sums(1)]);
  t.strictSame(finished.original.get(0), sums(0, { top1: 5, top5: 9, loss: 3.25 }));
  t.equal(finished.chunksOf('conv2', 'random', 0).size, 0);
});

t.test('appends made at once are written whole and in order', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path);
  await Promise.all(Array.from({ length: 50 }, (_, chunk) => journal.append([cell(chunk)])));
  await journal.close();
  const chunks = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).chunk);
  t.strictSame(
    chunks,
    Array.from({ length: 50 }, (_, chunk) => chunk),
  );
});

t.test('a torn last line is cut off, and the next line starts afresh', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const first = await Journal.open(path);
  await first.journal.append([cell(0)]);
  await first.journal.close();
  const whole = readFileSync(path, 'utf8');
  // Every way in which a second line can be cut.
  const second = `${JSON.stringify(cell(1))}\n`;
  for (let length = 0; length < second.length; length += 7) {
    writeFileSync(path, whole + second.slice(0, length));
    t.equal((await readJournal(path)).chunksOf('conv1', 'random', 0).size, 1);
    const { journal, finished } = await Journal.open(path);
    t.equal(finished.chunksOf('conv1', 'random', 0).size, 1);
    await journal.append([cell(2)]);
    await journal.close();
    t.strictSame([...(await readJournal(path)).chunksOf('conv1', 'random', 0).keys()], [0, 2]);
  }
});

t.test('a damaged line that is not the last is refused by its number', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  const { journal } = await Journal.open(path);
  await journal.append([cell(0)]);
  await journal.close();
  for (const bad of ['{"type":"cell"}', 'nonsense', '{"type":"cell","layer":"conv1","images":"many"}', '']) {
    writeFileSync(path, `${JSON.stringify(cell(0))}\n${bad}\n${JSON.stringify(cell(1))}\n`);
    await t.rejects(readJournal(path), { code: 'ERR_RUN', message: /line 2 is damaged/ }, bad);
  }
});

t.test('a chunk counts once, however often it was written', async (t) => {
  const path = join(t.testdir({}), 'cells.ndjson');
  appendFileSync(path, `${JSON.stringify(cell(0))}\n`.repeat(3));
  t.equal(total((await readJournal(path)).chunksOf('conv1', 'random', 0).values())?.images, 10);
});

t.test('totals are the same bits in whatever order the chunks were finished', async (t) => {
  const chunks = Array.from({ length: 20 }, (_, chunk) => sums(chunk, { cosine: Math.sin(chunk) / 3 }));
  const expected = total(chunks);
  t.equal(expected?.images, 200);
  t.strictSame(total([...chunks].reverse()), expected);
  t.strictSame(total([...chunks.slice(7), ...chunks.slice(0, 7)]), expected);
  t.equal(total([]), null);
});
