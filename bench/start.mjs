/** How long one waits for a command to begin: help, and the first numbers of a sweep of the demo's model. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../dist/version.js';
import { temporaryFolder } from './material.mjs';
import { spread } from './wall.mjs';

const cli = join(packageRoot, 'dist', 'cli.js');
const example = (name) => join(packageRoot, 'examples', 'fashion', name);

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function startCases() {
  return {
    async start({ rounds = 9 }) {
      const folder = temporaryFolder();
      const sweep = ['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--json', '--force'];
      const starts = {
        'node alone': () => seconds(['-e', '0']),
        'critmap --help': () => seconds([cli, '--help']),
        'critmap sweep --help': () => seconds([cli, 'sweep', '--help']),
        'first cells': () => seconds([cli, ...sweep, '--out', join(folder, 'run')], '"event":"progress"'),
      };
      const found = Object.fromEntries(Object.keys(starts).map((name) => [name, []]));
      for (let round = 0; round < rounds; round++)
        for (const [name, start] of Object.entries(starts)) found[name].push(await start());
      const result = Object.entries(found).map(([name, seconds]) => ({ name, ...spread(seconds), seconds }));
      const text = result.map(
        ({ name, median, low, high }) =>
          `  ${name.padEnd(22)} ${median.toFixed(3)} s (${low.toFixed(3)} - ${high.toFixed(3)})`,
      );
      return { result, text: text.join('\n') };
    },
  };
}

/** By the clock, until Node has ended or has printed a line with this text, which ends it. */
async function seconds(words, text) {
  const started = performance.now();
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (seen !== 0 || text === undefined || !line.includes(text)) continue;
    seen = performance.now() - started;
    child.kill();
  }
  const code = await ended;
  if (text === undefined ? code !== 0 : seen === 0) throw new Error(`${words.join(' ')}: ended with ${code}`);
  return (seen || performance.now() - started) / 1000;
}
