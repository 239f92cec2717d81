import t from 'tap';
import { sumNames } from '../../src/native/columns.js';
import type { JournalLine } from '../../src/run/finished.js';
import { readLine, writeLine } from '../../src/run/journal-line.js';
import { drawSums, sums } from './sums.js';

const seal = 77;
/** Of a journal without checksums. */
const readPlain = (text: string) => readLine(Buffer.from(text), null);
const labelled = { top1: 5, top5: 9, loss: 3.25 };
const crossed = { images: 10, drawSums: [7, 8], sumSquares: 15, imageSquares: 29 };
const target = (extra: object = {}): JournalLine => ({
  type: 'target',
  layer: 'features "0"\n.conv',
  reset: 'noise=0.1',
  chunk: 3,
  draws: [drawSums(4), drawSums(4, { trial: 1, change: 0.1 + 0.2, cosine: 1 / 3 })],
  ...extra,
});

t.test('a line that is written reads back the same, number by number', async (t) => {
  const lines: JournalLine[] = [
    { type: 'original', chunk: 0, slices: [] },
    {
      type: 'original',
      chunk: 7,
      slices: [
        { slice: 56, ...sums() },
        { slice: 57, ...sums(labelled) },
      ],
    },
    target(),
    target({ draws: [drawSums(0, { ...labelled, change: null, cosine: -0, kl: 1e300, js: 5e-324 })] }),
    target({ draws: [drawSums(0, { images: 10, invalid: 10, agreement: 0, cosine: 0 })] }),
    target({ crossed: { cosine: crossed, agreement: { ...crossed, images: 9 } } }),
  ];
  for (const line of lines) {
    const text = writeLine(line, seal);
    t.equal(text.indexOf('\n'), text.length - 1, 'one line');
    t.strictSame(readLine(Buffer.from(text.trimEnd()), seal), JSON.parse(JSON.stringify(line)), line.type);
  }
});

t.test('numbers of a slice are one array in the order of the columns', async (t) => {
  const { slices } = JSON.parse(
    writeLine({ type: 'original', chunk: 0, slices: [{ slice: 5, ...sums(labelled) }] }, seal),
  );
  t.strictSame(slices, [[5, ...sumNames.map(({ name }) => sums(labelled)[name])]]);
  const { draws } = JSON.parse(writeLine(target({ draws: [drawSums(5, { trial: 2, change: null })] }), seal));
  t.strictSame(draws[0].slice(0, 6), [5, 2, null, 10, 0, 7]);
});

t.test('every damage is noticed', async (t) => {
  const whole = JSON.parse(writeLine(target({ crossed: { cosine: crossed, agreement: crossed } }), seal));
  t.ok(readPlain(JSON.stringify(whole)));
  const damaged = (change: (line: typeof whole) => void) => {
    const line = structuredClone(whole);
    change(line);
    return JSON.stringify(line);
  };
  const [slice, trial, images, invalid, agreement] = [0, 1, 3, 4, 5];
  const texts: Record<string, string> = {
    'not JSON': '{"type":',
    'not an object': '[]',
    'another type': damaged((line) => {
      line.type = 'cell';
    }),
    'no layer': damaged((line) => {
      delete line.layer;
    }),
    'a chunk below 0': damaged((line) => {
      line.chunk = -1;
    }),
    'half a chunk': damaged((line) => {
      line.chunk = 0.5;
    }),
    'a number too few': damaged((line) => {
      line.draws[1].pop();
    }),
    'a number too many': damaged((line) => {
      line.draws[1].push(0);
    }),
    'a missing cosine': damaged((line) => {
      line.draws[0][6] = null;
    }),
    'a word for a number': damaged((line) => {
      line.draws[0][6] = '0.5';
    }),
    'half a slice': damaged((line) => {
      line.draws[0][slice] = 0.5;
    }),
    'a slice below 0': damaged((line) => {
      line.draws[0][slice] = -1;
    }),
    'a trial that is missing': damaged((line) => {
      line.draws[0][trial] = null;
    }),
    'a trial below 0': damaged((line) => {
      line.draws[0][trial] = -1;
    }),
    'half an image': damaged((line) => {
      line.draws[0][images] = 10.5;
    }),
    'more that agree than there are': damaged((line) => {
      line.draws[0][agreement] = line.draws[0][images] + 1;
    }),
    'invalid ones that agree': damaged((line) => {
      line.draws[0][invalid] = line.draws[0][images];
    }),
    'fewer than none invalid': damaged((line) => {
      line.draws[0][invalid] = -1;
    }),
    'crossed sums of one share': damaged((line) => {
      delete line.crossed.agreement;
    }),
    'crossed sums without squares': damaged((line) => {
      delete line.crossed.cosine.imageSquares;
    }),
    'numbers of images that are no text': damaged((line) => {
      line.perImage = [7];
    }),
    'a class row too short': damaged((line) => {
      line.perClass = [[0, 1, 2, 0, 1.5, 1]];
    }),
    'a class with more hits than passes': damaged((line) => {
      line.perClass = [[0, 1, 2, 0, 1.5, 1, 3]];
    }),
    'half a class': damaged((line) => {
      line.perClass = [[0, 0.5, 2, 0, 1.5, 1, 1]];
    }),
  };
  for (const [what, text] of Object.entries(texts)) t.equal(readPlain(text), undefined, what);
});
