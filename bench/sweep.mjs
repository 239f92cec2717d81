/** Whole networks: how fast a sweep is, next to running the model plainly and to the published algorithm. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { densenet } from '../dist/architectures/densenet.js';
import { resnet } from '../dist/architectures/resnet.js';
import { vit } from '../dist/architectures/vit.js';
import { inChild } from './child.mjs';
import { temporaryFolder, writeNormalImages } from './material.mjs';
import { table } from './measure.mjs';

const SHAPE = { channels: 3, height: 224, width: 224 };
const BATCH = 8;
/** Fractions of a layer's weights, and images of a sweep over them. */
const PRUNED = [0.1, 0.3, 0.5, 0.7, 0.9];
const PRUNING_IMAGES = 256;
export const fashion = (name) => fileURLToPath(new URL(`../examples/fashion/${name}`, import.meta.url));

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function sweepCases() {
  return {
    'sweep resnet-50': imageNet(resnet, 1),
    'sweep resnet-50 trials-3': imageNet(resnet, 3),
    'sweep vit-s-16': imageNet(vit, 1),
    'sweep densenet-121': imageNet(densenet, 1),
    'sweep demo': demo,
    'prune resnet-50': pruning,
  };
}

/** Files of a network with random weights and random images for it. */
export async function writeCase(folder, network, count) {
  const [graph, data] = [join(folder, 'model.onnx'), join(folder, 'images.npy')];
  await writeFile(graph, network());
  await writeNormalImages(data, count, SHAPE);
  return { graph, data, images: 'all', batch: BATCH };
}

/** Images that keep every core busy with one batch; more would take longer and show the same speed. */
export const fewest = () => availableParallelism() * BATCH;

function imageNet(network, trials) {
  return async ({ rounds = 1, images = 0, everything }) => {
    const folder = temporaryFolder();
    const task = await writeCase(folder, network, Math.max(images, fewest()));
    // Among all cases, a minute more to see the same memory again is left out.
    const onlySpeeds = everything && trials > 1;
    return measureSweep({ ...task, shape: SHAPE, trials, rounds, out: join(folder, 'run') }, onlySpeeds);
  };
}

/** How sensitive layers are to pruning, beside a session of the whole pruned model for every cell. */
async function pruning({ rounds = 1, images = 0 }) {
  // Smaller batches are as fast, and 270 cells take long.
  const batch = BATCH / 2;
  const count = Math.max(images, availableParallelism() * batch);
  const task = { ...(await writeCase(temporaryFolder(), resnet, count)), batch };
  const resets = PRUNED.map((fraction) => ({ kind: 'prune', label: `prune=${fraction}`, fraction }));
  const speeds = await inChild('./sweep-speeds.mjs', 'sweepSpeeds', {
    ...{ ...task, trials: 1, rounds, resets, perSession: PRUNING_IMAGES },
  });
  return { result: speeds, text: describeSpeeds(speeds) };
}

async function demo({ rounds = 2 }) {
  return measureSweep({
    graph: fashion('resnet.onnx'),
    data: fashion('images.npz'),
    images: 'all',
    shape: { channels: 1, height: 28, width: 28 },
    trials: 3,
    rounds,
    out: join(temporaryFolder(), 'run'),
  });
}

/** Every part in a process of its own. */
async function measureSweep(task, onlySpeeds = false) {
  const { shape, out, ...common } = task;
  const speeds = await inChild('./sweep-speeds.mjs', 'sweepSpeeds', common);
  if (onlySpeeds) return { result: speeds, text: describeSpeeds(speeds) };
  const whole = await inChild('./sweep-whole.mjs', 'wholeSweep', { ...common, out });
  const { graph } = task;
  const { batch, threads } = speeds;
  const plainPeakBytes = await inChild('./plain.mjs', 'plainPeak', { graph, batch, threads, shape });
  const result = { ...speeds, whole, plainPeakBytes };
  return { result, text: `${describeSpeeds(speeds)}\n${describeWhole(result)}` };
}

function describeSpeeds({ speeds, fastToReference, referenceOwnChunk, bound, setUpSeconds, ...about }) {
  const { layers, cells, images, batch, threads, rounds } = about;
  const ratio = speeds.find(({ name }) => name === 'fast').ratio;
  const range = ({ median, low, high }) => `${median.toFixed(2)} x (${low.toFixed(2)} - ${high.toFixed(2)})`;
  const { images: own, fastToReference: overOwn } = referenceOwnChunk;
  return [
    table(speeds),
    `  ${layers} layers, ${cells} cells, ${images} images, batch ${batch}, ${threads} threads, rounds ${rounds}`,
    `  bound by MACs ${bound.toFixed(2)} x plain, reached ${((100 * ratio) / bound).toFixed(0)} %`,
    `  fast to reference ${range(fastToReference)}; with ${own} images to a session ${range(overOwn)}`,
    `  set-up ${setUpSeconds.toFixed(2)} s`,
  ].join('\n');
}

function describeWhole({ whole, plainPeakBytes }) {
  const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const { sweepSeconds, loadSeconds, firstResultSeconds, peakBytes, sweepDelayMs, loadDelayMs } = whole;
  return [
    `  loadModel ${loadSeconds.toFixed(2)} s, sweep() ${sweepSeconds.toFixed(1)} s, first result after ${firstResultSeconds.toFixed(1)} s`,
    `  peak memory ${megabytes(peakBytes)}, plain alone ${megabytes(plainPeakBytes)}`,
    `  longest event-loop delay ${sweepDelayMs.toFixed(0)} ms, in loadModel ${loadDelayMs.toFixed(0)} ms`,
  ].join('\n');
}
