/**
 * Mutated image files through the reader: each gives an image of the size asked for or one line, and the process
 * goes on. More by hand: CRITMAP_FUZZ=100000 CRITMAP_FUZZ_SEED=2 npx tap --timeout=7200 test/images/fuzz.test.ts
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { forEachBounded } from '../../src/images/bounded.js';
import { readImage } from '../../src/images/read-image.js';

const COUNT = Number(process.env.CRITMAP_FUZZ ?? 400);
const SEED = Number(process.env.CRITMAP_FUZZ_SEED ?? 1);
const folder = fileURLToPath(new URL('../fixtures/images/', import.meta.url));
const originals = readdirSync(folder)
  .filter((name) => /\.(jpg|png|webp|tif|gif)$/.test(name) && !/line/.test(name))
  .map((name) => readFileSync(folder + name));
const fit = { resize: 20, interpolation: 'bilinear' as const, crop: { height: 16, width: 16 } };

/** A number from 0 to `below` that depends on the mutant and the draw only. */
function random(mutant: number) {
  let state = Math.imul(SEED, 0x9e3779b9) ^ Math.imul(mutant + 1, 0x85ebca6b);
  return (below: number) => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) % below;
  };
}

function mutate(mutant: number): Buffer {
  const draw = random(mutant);
  let bytes = Buffer.from(originals[draw(originals.length)]!);
  // Headers decide most, so half of the changes are there.
  const place = () => draw(draw(2) ? bytes.length : Math.min(bytes.length, 200));
  for (let change = draw(3); change >= 0; change--) {
    const at = place();
    const kind = draw(12);
    if (kind < 5) bytes[at]! ^= 1 << draw(8);
    else if (kind < 9) bytes[at] = [0, 1, 0x7f, 0x80, 0xd8, 0xfe, 0xff][draw(7)]!;
    else if (kind === 9) bytes.copy(bytes, at, place(), place());
    else if (kind === 10) bytes = bytes.subarray(0, Math.max(1, at));
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(place())]);
  }
  if (bytes[1] === 0x50 && draw(4)) mendChecksums(bytes);
  return bytes;
}

/** So that a PNG's changed chunks get past their checksums. */
function mendChecksums(png: Buffer): void {
  let at = 8;
  while (at + 12 <= png.length) {
    const end = at + 8 + png.readUInt32BE(at);
    if (end + 4 > png.length) return;
    png.writeUInt32BE(crc32(png.subarray(at + 4, end)), end);
    at = end + 4;
  }
}

t.test(`${COUNT} mutated files give an image or one line`, async (t) => {
  let images = 0;
  const reasons = new Map<string, number>();
  let slowest = 0;
  await forEachBounded(0, COUNT, 4, async (mutant) => {
    const started = performance.now();
    const bytes = mutate(mutant);
    try {
      const { data } = await readImage(bytes, mutant % 5 ? 3 : 1, fit);
      if (data.length !== 16 * 16 * (mutant % 5 ? 3 : 1)) t.fail(`mutant ${mutant}: ${data.length} bytes`);
      images++;
    } catch (thrown) {
      const { message } = thrown as Error;
      if (!/^[\x20-\x7e]+$/.test(message)) t.fail(`mutant ${mutant}: ${JSON.stringify(message)}`);
      const kind = message.replace(/\d+/g, '#');
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
    }
    slowest = Math.max(slowest, performance.now() - started);
  });
  const { maxRSS } = process.resourceUsage();
  t.comment(`seed ${SEED}: ${images} images, ${COUNT - images} refused for ${reasons.size} reasons`);
  t.comment(`slowest ${slowest.toFixed(0)} ms, most memory ${(maxRSS / 1024).toFixed(0)} MiB`);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 20)) {
    t.comment(`${String(count).padStart(6)} ${reason}`);
  }
  t.ok(images > 0 && images < COUNT);
  t.ok(maxRSS < 3 * 2 ** 20, 'less than 3 GiB of memory');
});
