/**
 * JPEG files that are read in one go give what they give otherwise, damaged ones too: the same pixels and the file's
 * hash, or nothing.
 *
 *   node test/fuzz/one-go.mjs SEED COUNT     # of dist
 *
 * Prints a JSON line, and ends with 1 if a file did not. It is found again by its seed and number.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { forEachBounded } from '../../dist/concurrency.js';
import { readImage, readPlainJpeg } from '../../dist/images/pixels/read-image.js';
import { mutate, randomOf } from './mutate.mjs';

const [seed = 1, count = 400] = process.argv.slice(2).map(Number);
const MOST_FAILURES = 10;
const SIDE = 16;
const fit = { resize: 20, interpolation: 'bilinear', crop: { height: SIDE, width: SIDE } };

const fixtures = fileURLToPath(new URL('../fixtures/images/', import.meta.url));
/** Those that are long lines take long whole. */
const originals = readdirSync(fixtures)
  .filter((name) => name.endsWith('.jpg') && !name.includes('line'))
  .map((name) => readFileSync(fixtures + name));

function damaged(number) {
  const random = randomOf(seed * 1_000_003 + number);
  return mutate(originals[random(originals.length)], originals, random);
}

const result = { seed, count, inOneGo: 0, refused: 0, slowestMs: 0, failures: [] };

async function compare(number) {
  const bytes = damaged(number);
  const channels = number % 5 ? 3 : 1;
  const out = new Uint8Array(SIDE * SIDE * channels);
  const digest = Buffer.alloc(32);
  const started = performance.now();
  const done = await readPlainJpeg(bytes, channels, fit, out, digest);
  result.slowestMs = Math.max(result.slowestMs, Math.round(performance.now() - started));
  const otherwise = await readImage(bytes, channels, fit).catch((error) => error);
  if (otherwise instanceof Error) result.refused++;
  if (!done) return;
  result.inOneGo++;
  const fail = (what) => result.failures.push({ number, what });
  if (otherwise instanceof Error) fail(otherwise.message);
  else if (!Buffer.from(out).equals(otherwise.data)) fail('other pixels');
  if (!digest.equals(createHash('sha256').update(bytes).digest())) fail('another hash');
}

await forEachBounded(0, count, 4, async (number) => {
  if (result.failures.length < MOST_FAILURES) await compare(number);
});
console.log(JSON.stringify(result));
process.exitCode = result.failures.length > 0 ? 1 : 0;
