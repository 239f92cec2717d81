import t from 'tap';
import { cellsOf, type MapRow, mapLines, profileLines } from '../../src/report/terminal-map.js';
import { columnsOf } from '../../src/report/text.js';
import { exampleSummary, resnet18Layers, resnet50Layers } from './example.js';

const rowOf = (name: string, percents: readonly (number | null)[], prefix = 'layer'): MapRow => ({
  ...{ name, category: null, accuracy: null },
  cells: percents.map((percent, i) => ({
    layer: `${prefix}${1 + Math.floor(i / 2)}.${i % 2}`,
    reset: 'random',
    percent,
  })),
});
const plain = { depth: 1, width: 80 };

t.test('a profile has a block a layer, as high as it is critical', async (t) => {
  const { cells } = rowOf('a', [0, 12.4, 12.5, 50, 87.4, 87.5, 100, null]);
  t.equal(profileLines(cells, 80)[0], 'profile  ▁▁▂▅▇██·');
  const [line, legend] = profileLines(cells, 13) as [string, string];
  t.equal(line, 'profile  ▁▃▇█', 'neighbours share a block that shows their mean');
  t.match(legend, /2 layers a block/);
  t.strictSame(profileLines([], 80), []);
});

t.test('without colours a map is blocks, with a mean and stages over them', async (t) => {
  const rows = [
    { ...rowOf('first', [100, 100, 50, 50, 0, 0, 0, 0]), category: 'plain', accuracy: 76.1 },
    rowOf('second', [null, 0, 0, 0, 0, 0, 0, 0]),
    rowOf('to come', []),
  ];
  t.strictSame(mapLines(rows, plain), [
    '                top-1  mean  la…r1 la…r2 la…r3 la…r4',
    'first    plain   76.1  37.5  ██████▅▅▅▅▅▅▁▁▁▁▁▁▁▁▁▁▁▁',
    'second              –   0.0  ···▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁',
    'to come             –     –',
    'criticality, ▁ 0 to █ 100 %; layers in network order',
  ]);
});

t.test('with colours it has the colours of the figures', async (t) => {
  const rows = [rowOf('a', [0, 100, null])];
  const exact = mapLines(rows, { depth: 24, width: 80 }).join('\n');
  // d3.interpolateCividis(0) and (1).
  t.match(exact, '\u001B[48;2;0;32;81m   \u001B[0m\u001B[48;2;253;234;69m   \u001B[0m·');
  t.match(mapLines(rows, { depth: 8, width: 80 }).join('\n'), '\u001B[48;5;17m   \u001B[0m\u001B[48;5;221m');
  t.notMatch(mapLines(rows, { depth: 4, width: 80 }).join('\n'), '\u001B', 'sixteen are too few');
});

t.test('models of other layers and other resets have maps of their own', async (t) => {
  const zero = rowOf('a', [10, 20]);
  const rows = [
    { ...zero, cells: [...zero.cells, ...zero.cells.map((cell) => ({ ...cell, reset: 'zero' }))] },
    rowOf('b', [10, 20, 30], 'block'),
  ];
  const text = mapLines(rows, plain).join('\n');
  t.equal(text.match(/criticality, /g)?.length, 3);
  t.equal(text.match(/reset random/g)?.length, 2);
  t.equal(text.match(/reset zero/g)?.length, 1);
});

t.test('a map is no wider than it may be, and no name steers the terminal', async (t) => {
  const row = (layers: typeof resnet50Layers, name: string): MapRow => ({
    ...{ name, category: 'adversarial training', accuracy: 70, cells: cellsOf(exampleSummary(layers)) },
  });
  const rows = [
    row(resnet50Layers, 'resnet50 with a name that is far too long for a terminal'),
    row(resnet18Layers, '\u001B[2J\nname'),
    row(resnet50Layers, '模型模型模型'),
  ];
  for (const width of [200, 100, 60]) {
    const lines = mapLines(rows, { depth: 1, width });
    for (const line of lines) t.ok(columnsOf(line) <= Math.max(width, 70), `${width}: ${line}`);
    t.notOk(lines.some((line) => line.includes('\u001B') || line.includes('\n')));
  }
});
