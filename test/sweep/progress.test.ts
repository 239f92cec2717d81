import t from 'tap';
import type { Cell } from '../../src/design/cells.js';
import { type Progress, ProgressCount } from '../../src/sweep/progress.js';

t.test('progress within a chunk moves on, never back and never past the end', async (t) => {
  const seen: Progress[] = [];
  const count = new ProgressCount([{}, {}] as Cell[], 10, (progress) => seen.push(progress));
  count.computed(4);
  count.computed(3);
  count.computed(20);
  count.add(10, 'a');
  count.computed(30);
  count.add(10, 'b');
  t.strictSame(
    seen.map(({ done, total, layer }) => [done, total, layer]),
    [
      [4, 20, ''],
      [20, 20, ''],
      [20, 20, 'a'],
      [20, 20, ''],
      [20, 20, 'b'],
    ],
  );
});
