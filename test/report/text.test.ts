import t from 'tap';
import {
  compact,
  fixed,
  grouped,
  halfWidth,
  intervalText,
  isSymmetric,
  shapeText,
} from '../../src/report/numbers.js';
import { columnsOf, distinct, escapeHtml, printable, shorten, shortenAll } from '../../src/report/text.js';
import { noEstimate } from '../../src/run/summary.js';

t.test('text from files', async (t) => {
  t.test('is escaped for HTML elements and quoted attributes', async (t) => {
    t.equal(escapeHtml(`<b class="x">&'`), '&lt;b class=&quot;x&quot;&gt;&amp;&#39;');
  });

  t.test('loses terminal escapes, line breaks, direction marks and lone surrogates', async (t) => {
    t.equal(printable('a\u001B[31mb\nc\u202Ed\uD800e\u009Bf'), 'a\uFFFD[31mb\uFFFDc\uFFFDd\uFFFDe\uFFFDf');
    t.equal(printable('layer1.0.conv1 é 层 🙂'), 'layer1.0.conv1 é 层 🙂');
  });

  t.test('has a width in terminal columns', async (t) => {
    t.equal(columnsOf('conv1'), 5);
    t.equal(columnsOf('层a'), 3);
    t.equal(columnsOf('e\u0301'), 1);
  });

  t.test('is shortened in the middle, never beyond the width', async (t) => {
    t.equal(shorten('layer1.0.downsample.0', 11), 'layer…ple.0');
    t.equal(shorten('conv1', 5), 'conv1');
    for (let width = 0; width < 12; width++) {
      t.ok(columnsOf(shorten('层层层层层层层', width)) <= width, `width ${width}`);
    }
  });

  t.test('drops the path that most long names share first, so that block numbers stay', async (t) => {
    const names = ['embed', 'vit.encoder.layer.0.attention.query', 'vit.encoder.layer.11.attention.query'];
    t.same(shortenAll(names, 24), ['embed', '…0.attention.query', '…11.attention.query']);
  });

  t.test('stays as it is where all names fit', async (t) => {
    t.same(shortenAll(['features.0', 'features.3'], 10), ['features.0', 'features.3']);
  });

  t.test('is made distinct for an axis', async (t) => {
    t.same(distinct(['a', 'a', '', 'a']), ['a', 'a #2', '(unnamed)', 'a #3']);
  });
});

t.test('numbers', async (t) => {
  t.test('have fixed decimals and no negative zero', async (t) => {
    t.equal(fixed(12.345, 1), '12.3');
    t.equal(fixed(-0.0001, 2), '0.00');
    t.equal(fixed(-0.4, 0), '0');
    t.equal(fixed(-1.5, 1), '-1.5');
  });

  t.test('print as – where there is none', async (t) => {
    for (const value of [null, Number.NaN, Number.POSITIVE_INFINITY]) t.equal(fixed(value, 2), '–');
    t.equal(shapeText([]), '–');
    t.equal(intervalText(noEstimate, 1), '–');
  });

  t.test('are grouped or compacted for people', async (t) => {
    t.equal(grouped(25557032), '25,557,032');
    t.equal(grouped(999), '999');
    t.same([0, 999, 9408, 36864, 262144, 999_999, 2359296, 1.5e9].map(compact), [
      '0',
      '999',
      '9.41k',
      '36.9k',
      '262k',
      '1.00M',
      '2.36M',
      '1.50B',
    ]);
    t.equal(shapeText([64, 3, 7, 7]), '64x3x7x7');
  });

  t.test('have an interval that is symmetric or is shown by its ends', async (t) => {
    const even = { ...noEstimate, mean: 10, low: 8, high: 12 };
    t.equal(halfWidth(even), 2);
    t.ok(isSymmetric(even, 0.005));
    t.notOk(isSymmetric({ ...even, low: 9 }, 0.005));
    t.equal(intervalText(even, 1), '8.0–12.0');
  });
});
