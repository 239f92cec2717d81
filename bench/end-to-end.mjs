/** From JPEG files to `summary.json`, and how much of the time is not inference. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resnet } from '../dist/architectures/resnet.js';
import { planCells, selectLayers } from '../dist/design/cells.js';
import { openFastEngine } from '../dist/engines/fast.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { chunkSize, readChunk } from '../dist/sweep/chunks-ahead.js';
import { chunksAtOnce, withDefaults } from '../dist/sweep/settings.js';
import { sweep } from '../dist/sweep/sweep.js';
import { inChild } from './child.mjs';
import { temporaryFolder, writeJpegs } from './material.mjs';
import { alternate, secondsPerCall, spread, timed } from './wall.mjs';

const COUNT = 64;
const ASKED = { layers: ['layer2.0.conv2', 'layer4.0.conv3', 'fc'], trials: 1 };

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function endToEndCases() {
  return {
    async 'end-to-end'({ rounds = 2 }) {
      const folder = temporaryFolder();
      const [graph, data] = [join(folder, 'model.onnx'), join(folder, 'images')];
      await writeFile(graph, resnet({ blocks: [1, 1, 1, 1] }));
      await writeJpegs(data, COUNT);
      const result = await inChild('./end-to-end.mjs', 'endToEnd', { graph, data, out: folder, rounds });
      return { result, text: describe(result) };
    },
    async 'end-to-end waiting'() {
      const folder = temporaryFolder();
      const [graph, data] = [join(folder, 'model.onnx'), join(folder, 'images')];
      await writeFile(graph, resnet({ blocks: [3, 4, 6, 3] }));
      await writeJpegs(data, 2 * COUNT);
      const result = await inChild('./end-to-end.mjs', 'waiting', { graph, data, out: folder });
      const text = result.map(
        ({ cache, seconds, waitedSeconds, checkSeconds }) =>
          `  ${cache} cache: images checked in ${checkSeconds.toFixed(2)} s; of ${seconds.toFixed(2)} s of computing ${waitedSeconds.toFixed(3)} s waiting for images, ${((100 * waitedSeconds) / seconds).toFixed(2)} %`,
      );
      return { result, text: text.join('\n') };
    },
  };
}

/** ResNet-50, first on a cold cache, then on a warm one: what the engine waits for images. */
export async function waiting({ graph, data, out }) {
  const results = [];
  for (const cache of ['cold', 'warm']) {
    const model = await loadModel(graph);
    const options = { ...modelInput(model), images: 'all', cache: join(out, 'cache') };
    const images = await openImages(data, options);
    const { seconds: checkSeconds } = await timed(() => images.fingerprint());
    const directory = join(out, `waiting-${cache}`);
    await sweep(model, images, { ...ASKED, out: directory });
    await images.close();
    const { seconds, stageSeconds } = JSON.parse(await readFile(join(directory, 'run.json'), 'utf8'));
    results.push({ cache, seconds, waitedSeconds: stageSeconds.waiting, checkSeconds });
  }
  return results;
}

/** @param task `graph`, `data` (the folder of images), `out` (folder for the runs), `rounds` */
export async function endToEnd({ graph, data, out, rounds }) {
  const whole = async (run) => {
    const model = await loadModel(graph);
    const images = await openImages(data, { ...modelInput(model), images: 'all' });
    const directory = join(out, `run-${run}`);
    await sweep(model, images, { ...ASKED, out: directory });
    await images.close();
    const { layers } = JSON.parse(await readFile(join(directory, 'summary.json'), 'utf8'));
    if (layers.length !== ASKED.layers.length) throw new Error('the summary lacks layers');
  };
  const inference = await openInference(graph, data);
  await inference.evaluate();
  let runs = 0;
  await whole(runs++);
  const speeds = await alternate(
    {
      inference: { unit: 'images', speed: async () => COUNT / (await secondsPerCall(inference.evaluate)) },
      'end-to-end': {
        unit: 'images',
        speed: async () => COUNT / (await secondsPerCall(() => whole(runs++))),
      },
    },
    rounds,
  );
  await inference.close();
  const [evaluated, total] = speeds;
  return {
    images: COUNT,
    layers: ASKED.layers.length,
    rounds,
    seconds: COUNT / total.median,
    inferenceSeconds: COUNT / evaluated.median,
    setUpSeconds: inference.setUpSeconds,
    notInference: spread(total.ratios.map((ratio) => 1 - ratio)),
    speeds,
  };
}

/** The same cells over the same images, decoded before. */
async function openInference(graph, data) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: 'all' });
  const settings = withDefaults(ASKED, images);
  const cells = planCells(selectLayers(model.layers, settings.layers), settings.resets, settings.trials);
  const size = chunkSize(images, 'fast');
  const chunks = [];
  for (let index = 0; index * size < images.count; index++) chunks.push(await readChunk(images, index, size));
  await images.close();
  const { batch, threads } = settings;
  const opened = await timed(() =>
    openFastEngine(model, { cells, context: settings, size: images.shape, batch, threads }),
  );
  const engine = opened.value;
  return {
    setUpSeconds: opened.seconds,
    async evaluate() {
      const sink = { original() {}, cell() {} };
      const running = new Set();
      for (const chunk of chunks) {
        const ended = engine.evaluate(chunk, cells, sink).finally(() => running.delete(ended));
        running.add(ended);
        if (running.size >= chunksAtOnce(settings)) await Promise.race(running);
      }
      await Promise.all(running);
    },
    close: () => engine.close(),
  };
}

function describe({ images, layers, seconds, inferenceSeconds, setUpSeconds, notInference }) {
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  const { median, low, high } = notInference;
  return [
    `  ${seconds.toFixed(2)} s from ${images} JPEG files to summary.json, ${layers} layers`,
    `  ${inferenceSeconds.toFixed(2)} s of it inference; not inference ${percent(median)} (${percent(low)} - ${percent(high)}), set-up of the engine alone ${setUpSeconds.toFixed(2)} s`,
  ].join('\n');
}
