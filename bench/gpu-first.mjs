/**
 * What a machine with a card is asked first (scripts/gpu-first-run.sh); `npm run bench -- gpu` compares with others.
 *
 *     node bench/gpu-first.mjs agreement [--device cuda:0]    the card's logits against the processor's, fp32
 *     node bench/gpu-first.mjs sweeps [--device cuda:0] [--batch 32,128,256] [--precision fp32,tf32,fp16]
 *                                     [--images 512] [--out FILE]
 *
 * `sweeps` are of ResNet-50: layer-images a second, what opening takes, and the most of the card's memory that was in
 * use. A line as each is measured, and all of them as JSON in FILE. `--device cpu` lets the processor stand in. Ends with
 * 77 where there is no such card, with 1 when something failed.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { resnet } from '../dist/architectures/resnet.js';
import { computingOn } from '../dist/native/cards.js';
import { inChild } from './child.mjs';
import { studyHours, sweepSpeed } from './gpu-speed.mjs';
import { temporaryFolder } from './material.mjs';
import { fashion, writeCase } from './sweep.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'cuda:0' },
    batch: { type: 'string', default: '32,128,256' },
    precision: { type: 'string', default: 'fp32,tf32,fp16' },
    images: { type: 'string', default: '512' },
    out: { type: 'string' },
  },
});
const device = values.device;
let cards;
try {
  ({ cards } = computingOn({ device }));
} catch (error) {
  process.stderr.write(`gpu-first: not measured: ${error.message}\n`);
  process.exit(77);
}
const images = Number(values.images);
const folder = temporaryFolder();
const task = await writeCase(folder, resnet, images);
const [what] = positionals;
if (what === 'agreement') await agreements();
else if (what === 'sweeps') await sweeps();
else {
  process.stderr.write('gpu-first: give agreement or sweeps\n');
  process.exitCode = 2;
}

async function agreements() {
  const tasks = {
    demo: { graph: fashion('resnet.onnx'), data: fashion('images.npz'), images: 'all', trials: 3 },
    'resnet-50': { ...task, images: Math.min(images, 64), trials: 1 },
  };
  for (const [name, about] of Object.entries(tasks)) {
    const found = await inChild('./gpu-agreement.mjs', 'agreement', { ...about, device });
    const { cells, cellsOff, farthest, ties } = found;
    process.stdout.write(
      `${name}: ${cells - cellsOff} of ${cells} cells as the processor's, within ${farthest.toExponential(1)} of a row's largest, ${ties} near ties\n`,
    );
    if (cellsOff > 0) process.exitCode = 1;
  }
}

async function sweeps() {
  const designs = [
    ...values.batch.split(',').map((batch) => ({ name: `batch ${batch}`, batch: Number(batch), trials: 1 })),
    // The default design, whose slices of 8 images share a batch, and each of them alone.
    { name: 'fresh draws', design: {} },
    { name: 'fresh, by 8', design: {}, batch: 8 },
  ];
  const found = [];
  for (const precision of values.precision.split(',')) {
    for (const { name, ...how } of designs) {
      const memory = watchMemory();
      const result = { precision, design: name, images };
      try {
        const out = join(folder, `${precision}-${name}`);
        const speed = await sweepSpeed({ ...task, out, device, precision, ...how }, images, 1);
        Object.assign(result, speed, { studyHours: studyHours(speed) });
      } catch (error) {
        process.exitCode = 1;
        result.error = error.message;
      }
      result.cardMiB = await memory();
      found.push(result);
      print(result);
      if (values.out) writeFileSync(values.out, `${JSON.stringify(found, null, 1)}\n`);
    }
  }
}

function print({ precision, design, error, speed, besides, cardMiB }) {
  const what = `${precision.padEnd(5)} ${design.padEnd(12)}`;
  const memory = cardMiB === null ? 'card memory unknown' : `${cardMiB} MiB of the card`;
  const numbers = error
    ? `failed: ${error}`
    : `${speed.median.toFixed(0).padStart(7)} layer-images/s, ${besides.median.toFixed(1)} s besides`;
  process.stdout.write(`${what} ${numbers}, ${memory}\n`);
}

/** Begins to look at what is in use of the card; what that gives ends it and gives the most, in MiB. */
function watchMemory() {
  if (cards === undefined) return async () => null;
  const asked = [
    '--query-gpu=memory.used',
    '--format=csv,noheader,nounits',
    '-i',
    String(cards[0]),
    '-lms',
    '200',
  ];
  const child = spawn('nvidia-smi', asked, { stdio: ['ignore', 'pipe', 'ignore'] });
  let most = null;
  child.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (Number(line) > (most ?? 0)) most = Number(line);
  });
  return async () => {
    child.kill();
    return most;
  };
}
