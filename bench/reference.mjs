/**
 * What the reference engine takes, from a few cells spread over the depth: all cost it the same, a session to be
 * built and the whole model over the chunk.
 */

import { openReferenceEngine } from '../dist/engines/reference.js';
import { chunkSize } from '../dist/sweep/chunks-ahead.js';

/** @returns a function that measures once, and one that gives the speeds of all measurements so far */
export async function openReference({ model, options, images, chunk, cells, few, perSession }) {
  const engine = await openReferenceEngine(model, options);
  const ownChunk = perSession ?? chunkSize(images, 'reference');
  const own = [];
  return {
    /** Layer-images per second over this chunk. */
    async speed() {
      const costs = await measureCosts(engine, chunk, few);
      const over = (count) => speedOver(count, costs, chunk.count, cells.length);
      own.push(over(ownChunk));
      return over(chunk.count);
    },
    /** The same over chunks as a sweep makes them for this engine, where a session serves more or fewer images. */
    ownChunk: () => ({ images: ownChunk, speeds: own }),
    close: () => engine.close(),
  };
}

/** Seconds of the original's run over the chunk, and of one cell's, which needs a session of its own. */
async function measureCosts(engine, chunk, few) {
  let original = Number.NaN;
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  await engine.evaluate(chunk, few, {
    original() {
      original = elapsed();
    },
    cell() {},
  });
  return { original, cell: (elapsed() - original) / few.length };
}

/** Of all cells and the original over chunks of `count` images; to build a session costs the same for any. */
function speedOver(count, { original, cell }, measured, cells) {
  const run = (original * count) / measured;
  return (cells * count) / (run + cells * (cell - original + run));
}
