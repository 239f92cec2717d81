import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile } from '../../src/files/replace.js';
import { drawsCsv } from '../../src/run/draws-csv.js';
import { type DrawRow, summarise } from '../../src/run/summarise.js';
import { crossedSweep, random, slicedSweep } from './finished-sweeps.js';

const textOf = (draws: readonly DrawRow[]) => [...drawsCsv(draws)].join('');

const HEADER =
  'layer,reset,draw,slice,images,invalid,agreement,change,' +
  'cosine,l1,l2,kl,js,publishedCrossEntropy,top1,top5,loss';

t.test('draws.csv has a row per draw with everything that is measured of it', async (t) => {
  const [head, first, second, end] = textOf(summarise(crossedSweep()).draws).split('\n');
  t.equal(head, HEADER);
  t.match(first, 'conv2,random,0,0,30,5,15,1,0.5,');
  t.match(second, 'conv2,random,1,0,30,0,30,2,0.5,');
  // Top-1 in percent of all images, the loss in nats over the 25 valid ones.
  t.same(first?.split(',').slice(-3).map(Number), [20, 40, 1.5]);
  t.equal(end, '');
});

t.test('draws count on over slices', async (t) => {
  const rows = textOf(summarise(slicedSweep(random, 2)).draws)
    .split('\n')
    .slice(1, -1);
  t.same(
    rows.map((row) => row.split(',').slice(2, 5).map(Number)),
    [8, 8, 8, 6].flatMap((images, slice) => [2 * slice, 2 * slice + 1].map((draw) => [draw, slice, images])),
  );
});

t.test(
  'names are quoted, what is not there is an empty field, and without draws there is a header',
  async (t) => {
    const { draws } = summarise(crossedSweep());
    const unlabelled = { top1: null, top5: null, loss: null };
    const row = { ...draws[0]!, layer: 'a,"b"', change: null, ...unlabelled };
    t.match(textOf([row]).split('\n')[1], /^"a,""b""",random,0,0,30,5,15,,0\.5,.*,,,$/);
    t.equal(textOf([]), `${HEADER}\n`);
  },
);

t.test('a file of many draws is made piece by piece, of whole rows', async (t) => {
  const [row] = summarise(crossedSweep()).draws;
  const many = Array.from({ length: 10_000 }, (_, draw) => ({ ...row!, draw }));
  const pieces = [...drawsCsv(many)];
  t.ok(Math.max(...pieces.map(({ length }) => length)) < 1e6);
  t.ok(pieces.every((piece) => piece.endsWith('\n')));
  const path = join(t.testdir({}), 'draws.csv');
  await replaceFile(path, drawsCsv(many));
  t.equal(
    readFileSync(path, 'utf8'),
    [HEADER, ...many.map((one) => textOf([one]).split('\n')[1]), ''].join('\n'),
  );
});
