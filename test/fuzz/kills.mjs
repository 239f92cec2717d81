/**
 * node test/fuzz/kills.mjs [KILLS] [SEED] [workers]: sweeps that are killed (SIGKILL) at random moments and repeated until they
 * end, over and over until there were so many kills; or through a queue on loopback, one of whose three workers is killed
 * again and again. Each must come to the bytes of one that nobody killed. Needs `dist`, and `redis-server` for workers. Ends
 * with one line; exit code 1 for other bytes, or a sweep that could not go on.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [kills = 100, seed = 1] = process.argv.slice(2, 4).map(Number);
const ofWorkers = process.argv[4] === 'workers';
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const example = (name) => fileURLToPath(new URL(`../../examples/fashion/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'critmap-kills-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const words = (out, command = 'sweep') => [
  ...[command, example('resnet.onnx'), '--data', example('images.npz'), '--images', 'all', '--quiet'],
  ...['--images-per-draw', '8', '--trials', '2', '--threads', '1', '--out', out],
  ...['--per-image', 'cosine,js', '--per-class'],
];
const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv', 'per-class.csv'];
const bytesOf = (out) => {
  const arrays = readdirSync(join(out, 'per-image'), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
  const all = [...names.map((name) => join(out, name)), ...arrays];
  return all.map((path) => readFileSync(path, 'latin1')).join('\0');
};

let state = seed;
/** Park and Miller. */
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param ms until it is killed; null for never */
async function run(args, ms) {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const timer = ms === null ? null : setTimeout(() => child.kill('SIGKILL'), ms);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stderr });
    });
  });
}

const started = Date.now();
const whole = await run(words(join(folder, 'whole')), null);
if (whole.code !== 0) throw new Error(whole.stderr);
const milliseconds = Date.now() - started;
const wanted = bytesOf(join(folder, 'whole'));
let [killed, finished, wrong] = [0, 0, 0];
/** A sweep came to its end. */
function end(out, { code, stderr }) {
  finished++;
  if (code !== 0 || bytesOf(out) !== wanted) {
    wrong++;
    console.error(`run ${finished} after ${killed} kills: exit code ${code} ${stderr.trim()}`);
  }
  rmSync(out, { recursive: true, force: true });
}

if (ofWorkers) await killWorkers();
else await killSweeps();
console.log(`${killed} kills, ${finished} sweeps finished, ${wrong} with other bytes or an error`);
process.exitCode = wrong > 0 ? 1 : 0;

async function killSweeps() {
  while (killed < kills) {
    const out = join(folder, `run-${finished}`);
    let last;
    do {
      last = await run(words(out), killed < kills ? random() * milliseconds : null);
      if (last.signal === 'SIGKILL') killed++;
    } while (last.signal === 'SIGKILL');
    end(out, last);
  }
}

/** Two workers stay, the third is killed and started again. */
async function killWorkers() {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  mkdirSync(join(folder, 'redis'));
  const redis = spawn(
    'redis-server',
    [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      join(folder, 'redis'),
      '--save',
      '',
      '--appendonly',
      'yes',
    ],
    { stdio: 'ignore' },
  );
  const at = ['--redis', `redis://127.0.0.1:${port}`];
  const models = join(example('resnet.onnx'), '..');
  const start = () =>
    spawn(
      process.execPath,
      [cli, 'worker', ...at, '--models', models, '--data', models, '--threads', '1', '--lock', '2'],
      { stdio: 'ignore' },
    );
  await sleep(500);
  const others = [start(), start()];
  let third = start();
  let isOver = false;
  const killing = (async () => {
    while (!isOver && killed < kills) {
      await sleep(300 + random() * 1700);
      third.kill('SIGKILL');
      killed++;
      third = start();
    }
  })();
  try {
    while (killed < kills) {
      const out = join(folder, `run-${finished}`);
      end(out, await run([...words(out, 'queue'), ...at], null));
    }
  } finally {
    isOver = true;
    await killing;
    for (const child of [third, ...others, redis]) child.kill('SIGTERM');
  }
}
