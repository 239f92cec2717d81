/** Both engines on a model built by hand: the original, and resets of every layer. */
import type { Test } from 'tap';
import { planCells } from '../../src/design/cells.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import type { Model } from '../../src/model/model.js';
import { parseReset } from '../../src/resets/parse.js';

/** In size; numbers here are about 1, and sums of some ten terms. */
const CLOSE = 1e-5;

export function close(t: Test, found: readonly number[], expected: readonly number[], what: string): void {
  const far = Math.max(...expected.map((one, i) => Math.abs(one - (found[i] ?? Number.NaN))));
  t.ok(found.length === expected.length && far < CLOSE, `${what}: off by ${far}`);
}

/**
 * @param images three of the model's channels x 8 x 8
 * @param logits what they must give, where that is known
 */
export async function enginesAgree(
  t: Test,
  model: Model,
  images: Float32Array,
  logits?: readonly number[],
  words = ['random', 'zero'],
): Promise<void> {
  const chunk = { index: 0, count: 3, images, height: 8, width: 8, labels: undefined };
  const resets = await Promise.all(words.map(parseReset));
  const cells = planCells(model.layers, resets, 1);
  const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
  const results: number[][] = [];
  for (const open of [openReferenceEngine, openFastEngine]) {
    const engine = await open(model, { cells, context, size: chunk, batch: 8, threads: 1 });
    const original = await engine.original(chunk, model.io.batch ?? 3);
    if (logits)
      close(t, [...original.logits], logits.slice(0, original.logits.length), `${engine.name}: the original`);
    const found: number[] = [];
    await engine.evaluate(chunk, cells, {
      original: () => {},
      cell: (cell, rows) => {
        const [l1, cosine] = [rows.column('l1'), rows.column('cosine')];
        t.ok(
          Math.max(...l1) > 100 * CLOSE,
          `${engine.name}: ${cell.reset.label} of ${cell.layer.name} is seen`,
        );
        found.push(...l1, ...cosine);
      },
    });
    await engine.close();
    results.push(found);
  }
  t.equal(results[0]!.length, 2 * 3 * cells.length);
  close(t, results[1]!, results[0]!, 'the fast engine gives what the reference engine gives');
}
