/** Columns of words stand under each other, whatever script the names are in. */
import t from 'tap';
import { textTable } from '../../src/commands/text-table.js';
import { columnsOf } from '../../src/report/text.js';

t.test('names of double width take the room that they have', (t) => {
  const lines = textTable(
    ['model', 'layers'],
    [
      ['残差網', '54'],
      ['resnet-50', '7'],
    ],
    (column) => column === 0,
  );
  t.strictSame(lines, ['model      layers', '残差網         54', 'resnet-50       7']);
  t.strictSame(lines.map(columnsOf), [17, 17, 17]);
  t.end();
});
