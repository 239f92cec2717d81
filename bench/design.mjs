/**
 * What designs of a sweep cost for the same certainty: passes until a layer's criticality is known to ± 2 points at 95 %,
 * measured on the demo's model. `published` shows every draw to all images and adds draws; `slices` has a new draw for
 * every 8 images; `stopping` is the latter with --tolerance, which holds whenever one looks. Nothing is extrapolated:
 * where the draws that were made did not suffice, more passes than those are needed.
 */
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { groupsInterval } from '../dist/statistics/student.js';
import { sweep } from '../dist/sweep/sweep.js';
import { fashion } from './sweep.mjs';

const HALF_WIDTH = 0.02;
const CONFIDENCE = 0.95;
const IMAGES_PER_DRAW = 8;
/** Draws of the published design; and of a slice, so that 1,000 images serve for more than 1,000 passes. */
const CROSSED_DRAWS = 100;
const DRAWS_PER_SLICE = 8;

export const designCases = () => ({ design });

/** @param {import('./index.mjs').Options} options `rounds`: draws of the published design */
async function design({ rounds = CROSSED_DRAWS }) {
  const model = await loadModel(fashion('resnet.onnx'));
  const run = async (asked) => {
    const images = await openImages(fashion('images.npz'), {
      ...modelInput(model),
      images: 'all',
      labels: 'none',
    });
    try {
      return await sweep(model, images, asked);
    } finally {
      await images.close();
    }
  };
  const crossed = await run({ trials: rounds });
  const fresh = { imagesPerDraw: IMAGES_PER_DRAW, trials: DRAWS_PER_SLICE };
  const sliced = await run(fresh);
  const stopped = await run({ ...fresh, tolerance: 100 * HALF_WIDTH });
  const layers = crossed.summary.layers.map(({ layer }, i) => {
    const published = passesUntilKnown(crossed.draws.filter((draw) => draw.layer === layer));
    const slices = passesUntilKnown(inIndependentOrder(sliced.draws.filter((draw) => draw.layer === layer)));
    const { stoppedAt, passes } = stopped.summary.layers[i];
    return {
      layer,
      published,
      slices,
      stopping: stoppedAt === null ? null : passes,
      ratio: ratioOf(published, slices),
    };
  });
  const result = { draws: rounds, layers, median: median(layers.map(({ ratio }) => ratio.least)) };
  return { result, text: textOf(result) };
}

/** Draws of one slice share images: those of the first trial come first. */
const inIndependentOrder = (draws) =>
  draws.toSorted((a, b) => (a.draw % DRAWS_PER_SLICE) - (b.draw % DRAWS_PER_SLICE) || a.draw - b.draw);

/** Passes of the fewest draws, in their order, with which the interval is narrow enough; all and more, if none are. */
function passesUntilKnown(draws) {
  const groups = draws.map(({ images, invalid, cosine }) => {
    const count = images - invalid;
    return { count, sum: cosine * count, sumSquares: 0 };
  });
  let passes = 0;
  for (const [i, { images }] of draws.entries()) {
    passes += images;
    const interval = i >= 2 ? groupsInterval(groups.slice(0, i + 1), CONFIDENCE) : null;
    if (interval && (interval.high - interval.low) / 2 <= HALF_WIDTH) return { passes, isEnough: true };
  }
  return { passes, isEnough: false };
}

const ratioOf = (published, slices) => ({
  least: published.passes / slices.passes,
  isExact: published.isEnough && slices.isEnough,
});

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function textOf({ layers, median, draws }) {
  const count = ({ passes, isEnough }) => `${isEnough ? '' : '> '}${passes.toLocaleString('en')}`;
  const rows = layers.map(({ layer, published, slices, stopping, ratio }) => [
    layer,
    count(published),
    count(slices),
    stopping === null ? 'not reached' : stopping.toLocaleString('en'),
    `${ratio.isExact ? '' : '> '}${ratio.least.toFixed(0)} x`,
  ]);
  const head = ['layer', 'published', 'slices of 8', 'stopping', 'published / slices'];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [
    `passes to ± ${100 * HALF_WIDTH} points at ${100 * CONFIDENCE} %; at most ${draws} draws of all images`,
    line(head),
    ...rows.map(line),
    `at the median layer ${median.toFixed(0)} x fewer`,
  ].join('\n');
}
