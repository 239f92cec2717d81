import t from 'tap';
import { shareStorage } from '../../src/plan/storage.js';
import { uniforms } from './random-graph.js';

t.test('tensors that are alive together lie apart', async (t) => {
  const random = uniforms(1);
  for (let round = 0; round < 20; round++) {
    const lives = Array.from({ length: 60 }, () => {
      const first = Math.floor(random() * 40);
      return { bytes: 1 + Math.floor(random() * 1000), first, last: first + Math.floor(random() ** 3 * 40) };
    });
    const { offsets, bytes } = shareStorage(lives);
    let apart = true;
    let alive = 0;
    for (const [i, a] of lives.entries()) {
      const at = offsets[i] ?? -1;
      apart &&= at >= 0 && at % 64 === 0 && at + a.bytes <= bytes;
      for (const [j, b] of lives.entries()) {
        if (j === i || b.first > a.last || a.first > b.last) continue;
        const other = offsets[j] ?? 0;
        apart &&= at + a.bytes <= other || other + b.bytes <= at;
      }
      const together = lives.filter((b) => b.first <= a.first && b.last >= a.first);
      alive = Math.max(
        alive,
        together.reduce((sum, b) => sum + b.bytes, 0),
      );
    }
    t.ok(apart);
    t.ok(bytes >= alive && bytes < 1.5 * alive + 64 * 60, 'in little more than what is alive at once');
  }
});

t.test('tensors that follow each other share one place', async (t) => {
  const lives = [0, 2, 4].map((first) => ({ bytes: 100, first, last: first + 1 }));
  t.strictSame(shareStorage(lives), { offsets: [0, 0, 0], bytes: 128 });
});
