/**
 * Whether a card computes what the processor does, in float32: of every cell of a sweep on both, the logits within
 * 1e-3 of the row's largest, and the same best class for every image whose two best are further apart than that.
 */

import { planCells } from '../dist/design/cells.js';
import { openFastEngine } from '../dist/engines/fast.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { readChunk } from '../dist/sweep/chunks-ahead.js';
import { withDefaults } from '../dist/sweep/settings.js';

/** Of a row's largest logit. */
const TOLERANCE = 1e-3;

/** @param task `graph`, `data`, `device`, `trials`, `images` (how many) */
export async function agreement({ graph, data, device, trials, images: wanted }) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: wanted, labels: 'none' });
  const chunk = await readChunk(images, 0, images.count);
  const { resets, ...context } = withDefaults({ trials }, images);
  const cells = planCells(model.layers, resets, trials);
  const logitsOn = async ({ cards }) => {
    const { batch, threads } = context;
    const options = { cells, context, size: images.shape, batch, threads, cards };
    const engine = await openFastEngine(model, options);
    const found = new Map();
    try {
      await engine.evaluate(chunk, cells, {
        wantsLogits: true,
        original: (_rows, logits) => void found.set('original', logits()),
        cell: ({ index }, _rows, logits) => void found.set(index, logits()),
      });
    } finally {
      await engine.close();
    }
    return found;
  };
  const expected = await logitsOn(withDefaults({}, images));
  const found = await logitsOn(withDefaults({ device }, images));
  await images.close();
  const compared = [...expected].map(([cell, logits]) => compare(logits, found.get(cell)));
  return {
    images: chunk.count,
    cells: cells.length,
    farthest: Math.max(...compared.map(({ farthest }) => farthest)),
    ties: compared.reduce((sum, { ties }) => sum + ties, 0),
    cellsOff: compared.filter(({ farthest, others }) => others > 0 || !(farthest <= TOLERANCE)).length,
  };
}

/**
 * The largest difference of two tables of logits, in parts of a row's largest; how many rows have another best class
 * although their two best are not that close, and how many because they are.
 */
export function compare({ logits: expected, classes }, { logits: found }) {
  const result = { farthest: 0, others: 0, ties: 0 };
  for (let from = 0; from < expected.length; from += classes) {
    const [one, other] = [expected, found].map((logits) => logits.subarray(from, from + classes));
    const scale = one.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [i, value] of one.entries()) {
      // Not a number on both sides, or equal infinities, are no difference.
      if (Object.is(value, other[i])) continue;
      const distance = Math.abs(value - other[i]) / scale;
      result.farthest = Number.isNaN(distance)
        ? Number.POSITIVE_INFINITY
        : Math.max(result.farthest, distance);
    }
    const [best, second] = bestTwo(one);
    if (best === bestTwo(other)[0]) continue;
    result[one[best] - one[second] <= TOLERANCE * scale ? 'ties' : 'others']++;
  }
  return result;
}

/** The places of the largest and the second largest, the earlier of equal ones first. */
function bestTwo(row) {
  let [best, second] = [-1, -1];
  for (const [i, value] of row.entries()) {
    if (best < 0 || value > row[best]) [best, second] = [i, best];
    else if (second < 0 || value > row[second]) second = i;
  }
  return [best, second];
}
