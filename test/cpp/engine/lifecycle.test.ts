/** Each case is a process of its own: what matters is that it ends, and how. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { native } from '../../../src/native/addon.js';
import { onnxruntimeLibrary } from '../../../src/native/engine.js';
import { product, products } from './models.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const CELLS = 10_000;

/** Makes `engine`, `run()` ((a batch of many cells)) and `ort()` (a run through the public API). */
const prelude = `
const { Worker, isMainThread, parentPort, threadId } = require('node:worker_threads');
const { engine } = require(${JSON.stringify(process.env.CRITMAP_ADDON ?? `${root}/build/Release/critmap.node`)});
const bytes = Buffer.from('${Buffer.from(product(2)).toString('base64')}', 'base64');
const cells = ${CELLS};
const data = JSON.parse(${JSON.stringify(JSON.stringify(products(2, 1)))});
const keys = BigUint64Array.of(0n);
const [source, run0, ...cellSteps] = data.steps;
const program = {
  ...data, constants: [0], cells, cellNames: undefined,
  steps: [source, run0, ...Array.from({ length: cells }, (_, cell) => cellSteps.map((s) => ({ ...s, cell }))).flat()],
};
const images = new Float32Array(8).fill(1);
async function open(threads = 2) {
  const handle = engine.open({ library: ${JSON.stringify(onnxruntimeLibrary())}, threads });
  engine.addConstant(handle, new Float32Array(16).fill(1));
  await engine.addSession(handle, bytes, 'product', { optimise: true });
  engine.load(handle, program);
  return handle;
}
const run = (handle, share = 1) =>
  engine.execute(handle, images, 2, undefined, new Uint8Array(cells).fill(1, 0, cells * share), keys);
async function ort() {
  const { InferenceSession, Tensor } = require(${JSON.stringify(require.resolve('onnxruntime-node'))});
  const session = await InferenceSession.create(bytes);
  const feeds = { images: new Tensor(images, [2, 1, 1, 4]), weight: new Tensor(new Float32Array(16).fill(1), [4, 4]) };
  const { logits } = await session.run(feeds);
  await session.release();
  if (logits.data[0] !== 4) throw new Error('wrong logits');
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

function outcome(body: string, ...flags: string[]) {
  const source = `${prelude}(async () => {${body}})().catch((e) => { console.error(e); process.exit(9); });`;
  const ended = spawnSync(process.execPath, [...flags, '-e', source], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { status: ended.status, signal: ended.signal, stdout: ended.stdout.trim(), stderr: ended.stderr };
}

const cases: [title: string, body: string, stdout: string, ...flags: string[]][] = [
  [
    'the engine works before, beside and after the public API',
    `const handle = await open(); await run(handle, 0.001); await ort();
     await Promise.all([run(handle, 0.01), ort(), run(handle, 0.01), ort()]);
     await engine.close(handle); await ort();
     const again = await open(); await run(again, 0.001); console.log('done');`,
    'done',
  ],
  [
    'the public API may come first',
    `await ort(); const handle = await open(); await run(handle, 0.001); await ort();
     await engine.close(handle); await ort(); console.log('done');`,
    'done',
  ],
  [
    'a process with an idle engine ends by itself',
    `const handle = await open(); console.log('done');`,
    'done',
  ],
  [
    'a process waits for the batches that are running',
    `const handle = await open(); run(handle, 0.05).then((rows) => console.log(rows.length));`,
    String((CELLS + 1) * 22),
  ],
  [
    'process.exit while batches run and wait is clean',
    `const handle = await open(); for (let i = 0; i < 6; i++) run(handle).catch(() => {});
     await wait(20); console.log('out'); process.exit(0);`,
    'out',
  ],
  [
    'process.exit while sessions are built is clean',
    `const handle = await open(); for (let i = 0; i < 50; i++) engine.addSession(handle, bytes, 's' + i, { optimise: true }).catch(() => {});
     console.log('out'); process.exit(0);`,
    'out',
  ],
  [
    'a handle that nobody holds is collected with its threads, but not while a batch runs',
    `let handle = await open(); const last = run(handle); handle = undefined; gc(); await wait(20); gc();
     console.log((await last).length); await wait(20); gc(); await wait(20);
     for (let i = 0; i < 8; i++) { await run(await open(), 0.001); gc(); await wait(1); }
     console.log(require('node:fs').readdirSync('/proc/self/task').length < 24);`,
    `${(CELLS + 1) * 22}\ntrue`,
    '--expose-gc',
  ],
  [
    'worker threads that are terminated in the middle leave the process alive',
    `const code = ${JSON.stringify(prelude)} +
       "(async () => { const h = await open(); for (let i = 0; i < 4; i++) run(h).catch(() => {}); parentPort.postMessage('on'); })()";
     const mine = await open();
     for (let i = 0; i < 6; i++) {
       const worker = new Worker(code, { eval: true });
       const beside = run(mine, 0.1);
       if (i % 3 < 2) await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
       if (i % 2) await wait(30);
       await worker.terminate(); await beside;
     }
     console.log('alive');`,
    'alive',
  ],
  [
    'a worker thread can sweep while the main thread ends the process',
    `const code = ${JSON.stringify(prelude)} +
       "(async () => { const h = await open(); run(h).catch(() => {}); run(h).catch(() => {}); parentPort.postMessage('on'); })()";
     const worker = new Worker(code, { eval: true });
     await new Promise((resolve) => worker.on('message', resolve));
     console.log('out'); process.exit(0);`,
    'out',
  ],
];

for (const [title, body, stdout, ...flags] of cases) {
  t.test(title, async (t) => {
    const ended = outcome(body, ...flags);
    t.match(ended, { status: 0, signal: null, stdout }, ended.stderr);
  });
}

t.test('the addon of this process is the one that the cases load', async (t) => {
  t.equal(typeof native().engine.open, 'function');
});
