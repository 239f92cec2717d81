/**
 * node test/fuzz/kills.mjs [KILLS] [SEED]: sweeps that are killed (SIGKILL) at random moments and repeated until they end, over and
 * over until there were so many kills; each must come to the bytes of one that nobody killed. Needs `dist`. Ends with one
 * line; exit code 1 for other bytes, or a sweep that could not go on.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [kills = 100, seed = 1] = process.argv.slice(2).map(Number);
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const example = (name) => fileURLToPath(new URL(`../../examples/fashion/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'critmap-kills-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const words = (out) => [
  ...['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--images', 'all', '--quiet'],
  ...['--images-per-draw', '8', '--trials', '2', '--threads', '1', '--out', out],
];
const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv'];
const bytesOf = (out) => names.map((name) => readFileSync(join(out, name), 'latin1')).join('\0');

let state = seed;
/** Park and Miller. */
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

/** @param ms until it is killed; null for never */
function run(out, ms) {
  const child = spawn(process.execPath, [cli, ...words(out)], { stdio: ['ignore', 'ignore', 'pipe'] });
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
const whole = await run(join(folder, 'whole'), null);
if (whole.code !== 0) throw new Error(whole.stderr);
const milliseconds = Date.now() - started;
const wanted = bytesOf(join(folder, 'whole'));
let [killed, finished, wrong] = [0, 0, 0];
while (killed < kills) {
  const out = join(folder, `run-${finished}`);
  for (;;) {
    const last = await run(out, killed < kills ? random() * milliseconds : null);
    if (last.signal === 'SIGKILL') {
      killed++;
      continue;
    }
    finished++;
    if (last.code !== 0 || bytesOf(out) !== wanted) {
      wrong++;
      console.error(`run ${finished} after ${killed} kills: exit code ${last.code} ${last.stderr.trim()}`);
    }
    break;
  }
  rmSync(out, { recursive: true, force: true });
}
console.log(`${killed} kills, ${finished} sweeps finished, ${wrong} with other bytes or an error`);
process.exitCode = wrong > 0 ? 1 : 0;
