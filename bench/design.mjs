/**
 * What designs of a sweep cost for the same certainty: passes until a layer's criticality is known to ± 2 points at 95 %,
 * measured on the demo's model. `published` shows every draw to 1,000 images (the study to 10,000, which costs ten times
 * more for hardly narrower an interval) and adds draws; `slices` has a new draw for every 8 images; `stopping` is the
 * latter with --tolerance 2, whose interval holds whenever one looks. Nothing is extrapolated: where the draws that were
 * made did not suffice, more passes than those are needed. Slices see each image shifted by a pixel too: there are as
 * many as it takes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { groupsInterval } from '../dist/statistics/student.js';
import { sweep } from '../dist/sweep/sweep.js';
import { temporaryFolder, writePixels } from './material.mjs';
import { fashion } from './sweep.mjs';
import { spread, timed } from './wall.mjs';

const HALF_WIDTH = 0.02;
const CONFIDENCE = 0.95;
const SLICES = { imagesPerDraw: 8 };
/** Draws of the published design. */
const CROSSED_DRAWS = 300;
const PYTHON_BATCH = 64;
const PYTHON_ROUNDS = 5;

export const designCases = () => ({ design });

/** @param {import('./index.mjs').Options} options `rounds`: draws of the published design */
async function design({ rounds = CROSSED_DRAWS }) {
  const model = await loadModel(fashion('resnet.onnx'));
  const shifted = join(temporaryFolder(), 'shifted.npy');
  const openFrom = (source) => openImages(source, { ...modelInput(model), images: 'all', labels: 'none' });
  await writeShifted(await openFrom(fashion('images.npz')), shifted);
  const run = async (source, asked) => {
    const images = await openFrom(source);
    try {
      return await sweep(model, images, asked);
    } finally {
      await images.close();
    }
  };
  const sliced = await run(shifted, SLICES);
  const stopped = await run(shifted, { ...SLICES, tolerance: 100 * HALF_WIDTH });
  const wall = await wallTimes(() => run(fashion('images.npz'), SLICES));
  const crossed = await run(fashion('images.npz'), { trials: rounds });
  const layers = crossed.summary.layers.map(({ layer }, i) => {
    const ofLayer = ({ draws }) => passesUntilKnown(draws.filter((draw) => draw.layer === layer));
    const [published, slices] = [ofLayer(crossed), ofLayer(sliced)];
    const { stoppedAt, passes } = stopped.summary.layers[i];
    const stopping = { passes, isEnough: stoppedAt !== null };
    const [ratio, stoppingRatio] = [ratioOf(published, slices), ratioOf(published, stopping)];
    return { layer, published, slices, stopping, ratio, stoppingRatio };
  });
  const medianOf = (key) => spread(layers.map((layer) => layer[key].least)).median;
  const result = {
    draws: rounds,
    layers,
    slices: medianOf('ratio'),
    stopping: medianOf('stoppingRatio'),
    wall,
  };
  return { result, text: textOf(result) };
}

/** Every image as it is and shifted by a pixel in eight directions, edges repeated. */
async function writeShifted(images, path) {
  const { height, width } = images.shape;
  const size = height * width;
  const pixels = new Uint8Array(images.count * size);
  await images.readPixels(0, images.count, pixels);
  const all = new Uint8Array(9 * pixels.length);
  const within = (at, end) => Math.min(end - 1, Math.max(0, at));
  for (let shift = 0; shift < 9; shift++) {
    const [down, right] = [Math.floor(shift / 3) - 1, (shift % 3) - 1];
    for (let at = 0; at < pixels.length; at++) {
      const [image, place] = [Math.floor(at / size), at % size];
      const [y, x] = [
        within(Math.floor(place / width) - down, height),
        within((place % width) - right, width),
      ];
      all[shift * pixels.length + at] = pixels[image * size + y * width + x];
    }
  }
  await images.close();
  await writePixels(path, all, { height, width });
}

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

/** At least so many times the passes; unless those of `cheap` did not suffice either. */
const ratioOf = (published, cheap) => ({
  least: cheap.isEnough ? published.passes / cheap.passes : 0,
  isExact: published.isEnough && cheap.isEnough,
});

/** Seconds of a pass here and, in turn, in PyTorch, where CRITMAP_PYTHON names one. */
async function wallTimes(ours) {
  const python = process.env.CRITMAP_PYTHON;
  if (!python) return null;
  const script = fileURLToPath(new URL('design.py', import.meta.url));
  const child = spawn(python, [script, String(PYTHON_BATCH)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const about = JSON.parse((await lines.next()).value);
  const [theirs, own] = [[], []];
  for (let round = 0; round < PYTHON_ROUNDS; round++) {
    child.stdin.write('\n');
    theirs.push(Number((await lines.next()).value));
    const { value, seconds } = await timed(ours);
    own.push(seconds / value.summary.layers.reduce((sum, { passes }) => sum + passes, 0));
  }
  child.stdin.end();
  await once(child, 'exit');
  return { ...about, pytorch: spread(theirs).median, critmap: spread(own).median };
}

function textOf({ layers, slices, stopping, draws, wall }) {
  const count = ({ passes, isEnough }) => `${isEnough ? '' : '> '}${passes.toLocaleString('en')}`;
  const times = ({ least, isExact }) => `${isExact ? '' : '> '}${least.toFixed(0)} x`;
  const rows = layers.map((layer) => [
    layer.layer,
    count(layer.published),
    count(layer.slices),
    times(layer.ratio),
    count(layer.stopping),
    times(layer.stoppingRatio),
  ]);
  const head = ['layer', 'published', 'slices of 8', 'fewer', 'stopping', 'fewer'];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [
    `passes to ± ${100 * HALF_WIDTH} points at ${100 * CONFIDENCE} %; published: at most ${draws} draws of 1,000 images`,
    line(head),
    ...rows.map(line),
    `at the median layer at least ${slices.toFixed(0)} x fewer, ${stopping.toFixed(0)} x where one may look at any time`,
    ...(wall ? [wallText(layers, wall)] : []),
  ].join('\n');
}

/** What the passes of the median layer take at the speeds that were measured. */
function wallText(layers, { torch, threads, pytorch, critmap }) {
  const median = (key) => spread(layers.map((layer) => layer[key].passes)).median;
  const [theirs, ours] = [median('published') * pytorch, median('slices') * critmap];
  const speed = (seconds) => Math.round(1 / seconds).toLocaleString('en');
  return [
    `PyTorch ${torch}, ${threads} threads: ${speed(pytorch)} passes/s; critmap ${speed(critmap)}, set-up and results included`,
    `so ${theirs.toFixed(1)} s and ${ours.toFixed(2)} s at the median layer: ${(theirs / ours).toFixed(0)} x`,
  ].join('\n');
}
