/**
 * What a new draw for every 8 images costs beside one draw for all: on open engines, the same images through the same
 * layers, with the proof that each draw changes the weights; then memory and set-up of whole sweeps.
 */
import { join } from 'node:path';
import { resnet } from '../dist/architectures/resnet.js';
import { planCells } from '../dist/design/cells.js';
import { slicesOf } from '../dist/design/slices.js';
import { openFastEngine } from '../dist/engines/fast.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { readChunk } from '../dist/sweep/chunks-ahead.js';
import { proveCells, proveDraws } from '../dist/sweep/prove.js';
import { withDefaults } from '../dist/sweep/settings.js';
import { inChild } from './child.mjs';
import { temporaryFolder } from './material.mjs';
import { table } from './measure.mjs';
import { fashion, fewest, writeCase } from './sweep.mjs';
import { alternate, secondsPerCall, timed } from './wall.mjs';

const nothing = { original() {}, cell() {} };
const LEAST_SECONDS = 2;
/** Asked of `sweep`: one draw that all images see, and the default. */
const DESIGNS = { 'one draw': { imagesPerDraw: 'all', trials: 1 }, 'a draw for 8': {} };

export function drawCases() {
  return {
    async 'draws resnet-50'({ rounds = 2, images = 0 }) {
      const folder = temporaryFolder();
      const count = Math.max(images, 2 * fewest());
      return drawsCase({ ...(await writeCase(folder, resnet, count)), rounds });
    },
    'draws demo': ({ rounds = 5 }) =>
      drawsCase({ graph: fashion('resnet.onnx'), data: fashion('images.npz'), images: 'all', rounds }),
  };
}

async function drawsCase(task) {
  const { speeds, seconds, layers, images, proofShare } = await inChild('./draws.mjs', 'drawSpeeds', task);
  const whole = [];
  for (const [name, design] of Object.entries(DESIGNS)) {
    const out = join(temporaryFolder(), 'run');
    whole.push({ name, ...(await inChild('./sweep-whole.mjs', 'wholeSweep', { ...task, design, out })) });
  }
  const result = { speeds, layers, images, setUpSeconds: seconds, proofShare, whole };
  const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const text = [
    table(speeds),
    `  ${layers} layers, ${images} images; proofs take ${(100 * proofShare).toFixed(1)} % of the time if nothing else runs`,
    `  set-up ${Object.entries(seconds)
      .map(([name, value]) => `${name} ${value.toFixed(2)} s`)
      .join(', ')}`,
    `  whole sweeps ${whole
      .map((one) => `${one.name} ${one.sweepSeconds.toFixed(1)} s, peak ${mebibytes(one.peakBytes)}`)
      .join('; ')}`,
  ].join('\n');
  return { result, text };
}

/** Both designs in turn in one process, each with an engine of its own. */
export async function drawSpeeds({ graph, data, images: wanted, rounds }) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: wanted, labels: 'none' });
  const chunk = await readChunk(images, 0, images.count);
  const [contestants, open, seconds] = [{}, [], {}];
  let proofs = 0;
  let all = 0;
  for (const [name, asked] of Object.entries(DESIGNS)) {
    const settings = withDefaults(asked, images);
    const { batch, threads, design, resets } = settings;
    const cells = await proveCells(model, planCells(model.layers, resets, design.trials), settings);
    const options = { cells, context: settings, design, size: images.shape, batch, threads };
    const { value: engine, seconds: setUp } = await timed(() => openFastEngine(model, options));
    open.push(engine);
    seconds[name] = setUp;
    const slices = slicesOf(design, 0, chunk.count);
    const run = async () => {
      const proof = timed(() => proveDraws({ model, settings }, cells, slices));
      await engine.evaluate({ ...chunk, slices }, cells, nothing);
      await proof;
    };
    await run();
    const speed = async () => (cells.length * chunk.count) / (await secondsPerCall(run, LEAST_SECONDS));
    contestants[name] = { unit: 'layer-images', speed };
    proofs = (await timed(() => proveDraws({ model, settings }, cells, slices))).seconds;
    all = (await timed(run)).seconds;
  }
  const speeds = await alternate(contestants, rounds);
  for (const one of [...open, images]) await one.close();
  return { speeds, seconds, layers: model.layers.length, images: chunk.count, proofShare: proofs / all };
}
