/**
 * node test/images/fuzz-arrays.mjs COUNT [SEED]: damaged npy, npz, tar and Parquet files through the readers, from the built
 * `dist`. Every file must give images or one CritmapError of one line, soon and in little memory. Ends with 1 and the
 * case's number otherwise, which `node test/images/fuzz-arrays.mjs 1 SEED` repeats: case i of seed s is case 0 of seed s + i.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openImages } from '../../dist/images/index.js';
import { CritmapError } from '../../dist/index.js';

const [count = 1000, seed = 1] = process.argv.slice(2).map(Number);
const SHAPE = { channels: 3, height: 8, width: 8 };
/** A case takes milliseconds; this is for a machine that is busy with other things. */
const SLOW_MS = 60_000;
const MOST_RESIDENT = 2 ** 30;

const fixture = (name) => readFileSync(fileURLToPath(new URL(`../fixtures/images/${name}`, import.meta.url)));
const corpus = [
  ...['hub-00000-of-00002', 'hub-00001-of-00002', 'two-labels', 'missing', 'text'].map((name) => ({
    ending: 'parquet',
    bytes: fixture(`${name}.parquet`),
  })),
  ...['pax-000001', 'gnu'].map((name) => ({ ending: 'tar', bytes: fixture(`${name}.tar`) })),
  ...['stored', 'deflated'].map((name) => ({ ending: 'npz', bytes: fixture(`${name}.npz`) })),
  { ending: 'npy', bytes: fixture('images.npy') },
];

/** xorshift32: the same cases everywhere. */
function random(start) {
  let state = Math.imul(start + 1, 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x27, 0x2e];

function mutate(original, draw) {
  let bytes = Buffer.from(original);
  for (let edits = 1 + draw(6); edits > 0; edits--) {
    const at = draw(bytes.length || 1);
    const length = 1 + draw(draw(2) ? 8 : 200);
    const kind = draw(7);
    if (kind === 0) bytes[at] ^= 1 << draw(8);
    else if (kind === 1) bytes[at] = draw(256);
    else if (kind === 2)
      bytes.fill(INTERESTING[draw(INTERESTING.length)], at, Math.min(bytes.length, at + length));
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    else if (kind === 4)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
    else if (kind === 5) bytes = bytes.subarray(0, at);
    else if (bytes.length > 8)
      bytes.writeUInt32LE(draw(2) ? 0xffffffff - draw(16) : draw(2 ** 31), draw(bytes.length - 4));
  }
  return bytes;
}

async function run(path) {
  const options = { shape: SHAPE, images: 'all', resize: 8, skipBadImages: true };
  const images = await openImages(path, options);
  try {
    // A header may claim many small images, and they may even be there.
    const some = Math.min(images.count, 8);
    await images.read(0, some, new Float32Array(some * 192));
  } finally {
    await images.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'critmap-fuzz-'));
const outcomes = { read: 0, refused: 0 };
const reasons = new Map();
let failed = false;
for (let i = 0; i < count && !failed; i++) {
  const draw = random(seed + i);
  const { ending, bytes } = corpus[draw(corpus.length)];
  const path = join(folder, `case.${ending}`);
  const mutated = mutate(bytes, draw);
  writeFileSync(path, mutated);
  const fail = (why) => {
    failed = true;
    console.error(`seed ${seed + i} (${ending}): ${why}`);
  };
  const started = performance.now();
  await run(path).then(
    () => outcomes.read++,
    (error) => {
      outcomes.refused++;
      const oneLine = error instanceof CritmapError && !/[\r\n]/.test(error.message);
      if (!oneLine) fail(error?.stack ?? String(error));
      else {
        const reason = `${ending}: ${error.problem?.replace(/[\d"(].*/, '') ?? error.message.slice(0, 40)}`;
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    },
  );
  if (performance.now() - started > SLOW_MS) fail(`took ${Math.round(performance.now() - started)} ms`);
  if (i % 100 === 0 && process.memoryUsage.rss() > MOST_RESIDENT)
    fail(`${process.memoryUsage.rss()} bytes resident`);
  if (i > 0 && i % 20_000 === 0) console.error(`${i} cases`);
}
rmSync(folder, { recursive: true, force: true });
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ count, seed, ...outcomes, peakMiB: peak, reasons: reasons.size }));
process.exitCode = failed ? 1 : 0;
