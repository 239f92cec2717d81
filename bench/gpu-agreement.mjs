/** Whether a card's counts are the processor's: every cell of a sweep on both, in float32. */

import { planCells } from '../dist/design/cells.js';
import { openFastEngine } from '../dist/engines/fast.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { readChunk } from '../dist/sweep/chunks-ahead.js';
import { withDefaults } from '../dist/sweep/settings.js';

/** @param task `graph`, `data`, `device`, `trials`, `images` (how many) */
export async function agreement({ graph, data, device, trials, images: wanted }) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: wanted, labels: 'none' });
  const chunk = await readChunk(images, 0, images.count);
  const { resets, ...context } = withDefaults({ trials }, images);
  const cells = planCells(model.layers, resets, trials);
  const countsOn = async ({ cards }) => {
    const { batch, threads } = context;
    const options = { cells, context, size: images.shape, batch, threads, cards };
    const engine = await openFastEngine(model, options);
    const counts = new Map();
    try {
      await engine.evaluate(chunk, cells, {
        original: ({ invalid }) => void counts.set('original', { agreement: chunk.count, invalid }),
        cell: ({ index }, { agreement, invalid }) => void counts.set(index, { agreement, invalid }),
      });
    } finally {
      await engine.close();
    }
    return counts;
  };
  const expected = await countsOn(withDefaults({}, images));
  const found = await countsOn(withDefaults({ device }, images));
  await images.close();
  const off = [...expected].map(([cell, counts]) => {
    const own = found.get(cell);
    return Math.abs(own.agreement - counts.agreement) + Math.abs(own.invalid - counts.invalid);
  });
  return {
    images: chunk.count,
    cells: cells.length,
    agreeing: cells.reduce((sum, { index }) => sum + expected.get(index).agreement, 0),
    cellsOff: off.filter((count) => count > 0).length,
    mostOff: Math.max(...off),
  };
}
