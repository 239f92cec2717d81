// A worker thread of threads.test.ts.
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const addon = createRequire(import.meta.url)(workerData.path);
const normal = { kind: 'normal', mean: 0, std: 1, key: 9n };
const large = new Float32Array(1 << 18);

/** Keeps the pool busy with both kinds of work, for ever. */
function work() {
  for (let i = 0; i < 4; i++) {
    addon.resetAsync(large, { kind: 'shuffle', key: 1n }).then(work);
    addon.compareAsync(large, large, 64).then(work);
  }
}

switch (workerData.task) {
  case 'normal': {
    const values = new Float32Array(1000);
    await addon.resetAsync(values, normal);
    parentPort.postMessage(values);
    break;
  }
  case 'baseline':
    addon.usePath('baseline');
    parentPort.postMessage(addon.info().path);
    break;
  case 'exit':
    work();
    process.exit(3);
    break;
  case 'busy':
    work();
    parentPort.postMessage('started');
    break;
}
