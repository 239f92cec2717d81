// A worker thread or a process of worker-thread.test.ts: sweeps the model at `path` and says how far it is. Given
// `exitAfterMs`, it ends the process that long after it has said `exitAt`.
import { parentPort, workerData } from 'node:worker_threads';
import { loadModel, modelInput, openImages, sweep } from '../../dist/index.js';

const { path, images, options, exitAt, exitAfterMs } = workerData ?? JSON.parse(process.argv[2]);

function say(stage, summary) {
  parentPort?.postMessage({ stage, summary });
  if (stage === exitAt) setTimeout(() => process.exit(0), exitAfterMs);
}

const model = await loadModel(path);
const set = await openImages(`synthetic:${images}`, { ...modelInput(model), images });
say('set-up');
let chunks = 0;
const onProgress = () => {
  if (chunks++ === 0) say('inference');
};
const { summary } = await sweep(model, set, { ...options, onProgress });
await set.close();
say('end', summary);
