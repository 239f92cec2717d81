/**
 * Damaged images, tar shards, Parquet files, arrays and tables of labels as a sweep reads them, from the built `dist`; see fuzz.mjs.
 *
 *   node test/fuzz/sources.mjs READER SEED COUNT     # READER as below, or all
 *
 * What image files hold is read many at once, from a folder in which there is a whole one too.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { CritmapError } from '../../dist/errors.js';
import { openImages } from '../../dist/images/index.js';
import { readLabelFile } from '../../dist/images/labels/read-label-file.js';
import { parquetProcess } from '../../dist/images/parquet/process.js';
import { folder, fuzzAll, written } from './fuzz.mjs';
import { mutate } from './mutate.mjs';

const fixtures = fileURLToPath(new URL('../fixtures/images/', import.meta.url));
const read = (...names) => names.map((name) => readFileSync(join(fixtures, name)));
/** Those that are long lines take long whole. */
const named = (pattern) =>
  read(...readdirSync(fixtures).filter((name) => pattern.test(name) && !/line|bomb/.test(name)));

const OPTIONS = { images: 'all', resize: 8, skipBadImages: true };
const shapeOf = (channels) => ({ channels, height: 8, width: 8 });
const BATCH = 32;

async function readSome(path, channels, most, use) {
  const images = await openImages(path, { ...OPTIONS, shape: shapeOf(channels) });
  try {
    // A header may claim many small images, and they may even be there.
    const some = Math.min(images.count, most);
    const pixels = new Float32Array(some * channels * 64);
    await images.read(0, some, pixels);
    use?.(images, pixels);
  } finally {
    await images.close();
  }
}

/** @returns {import('./fuzz.mjs').Reader} */
const one = (name, seeds, damage) => ({
  seeds,
  damage,
  // What the C library keeps of memory that several threads have used.
  mostBytes: 2 ** 29,
  run: async (bytes) => readSome(written(name, bytes), 3, 2),
});

/** Tables of labels, for images of these names. */
const names = ['cat/1.jpg', 'cat/2.jpg', 'dog/3.jpg'];
const tables = [
  'ImageId,PredictionString\n1,n01443537 1 2 3 4 \n2,n01440764 8 1 4 2\n3,n15075141 1 2 3 4 n15075141 -5 6 7 8 \n',
  'image\tlabel\tnote\r\n1.jpg\tcat\tx\r\n2.jpg\tcat\ty\r\n3.jpg\tdog\tx\r\n',
  '"path";"class"\n"a\\cat\\1.jpg";"1"\n"a\\cat\\2.jpg";"2"\n"a\\dog\\3.jpg";"3"\n',
  '/val/cat/1.jpg 4\n/val/cat/2.jpg 4\n/val/dog/3.jpg 5\n/val/dog/4.jpg 5\n',
];

/** @returns {import('./fuzz.mjs').Reader} */
const labelTables = () => ({
  seeds: tables.map((text) => Buffer.from(text)),
  run: async (bytes) => {
    const images = { name: 'val', total: names.length, names };
    const file = written(`labels.${bytes.length % 2 ? 'csv' : 'txt'}`, bytes);
    const { labels, understood } = await readLabelFile(file, images, Uint32Array.of(0, 1, 2));
    if (labels.length !== 3 || /\p{Cc}/u.test(understood)) throw new Error(JSON.stringify(understood));
  },
});

/** First in order, and read with every damaged one. */
const WHOLE = '0-whole.png';
const whole = new Map();

/** @returns {import('./fuzz.mjs').Reader} */
function inFolder(ending, seeds, damage) {
  return {
    seeds,
    damage,
    // The largest picture that is read takes half of it, and is copied once.
    mostBytes: 2 ** 31,
    batch: BATCH,
    async runAll(files, first) {
      written(WHOLE, read('rgb.png')[0]);
      const names = files.map((_, at) => `case-${first + at}.${ending}`);
      for (const [at, name] of names.entries()) written(name, files[at]);
      const channels = Math.floor(first / BATCH) % 5 === 0 ? 1 : 3;
      const found = new Map();
      await readSome(folder, channels, BATCH + 1, ({ skipped }, pixels) => {
        for (const { image, problem } of skipped) found.set(image, problem);
        const head = pixels.slice(0, channels * 64).join();
        if (head !== (whole.get(channels) ?? head)) throw new Error('a whole image has other pixels');
        whole.set(channels, head);
      });
      for (const name of names) rmSync(join(folder, name));
      return names.map((name) => (found.has(name) ? refusal(found.get(name)) : null));
    },
  };
}

const refusal = (problem) =>
  /^[\x20-\x7e]+$/.test(problem)
    ? new CritmapError('ERR_IMAGES', problem)
    : new Error(JSON.stringify(problem));

/** Half of them keep their chunks in order: one has other content, and the right length and checksum for it. */
function damagePng(png, seeds, random) {
  if (random(2) === 0) return mutate(png, seeds, random);
  const chunks = chunksOf(png);
  const chunk = chunks[random(chunks.length)];
  const packed = chunk.type === 'IDAT' && random(2) === 0;
  const content = packed ? tryInflate(chunk.content) : chunk.content;
  const damaged = mutate(content.length > 0 ? content : Buffer.alloc(1), seeds, random);
  chunk.content = packed ? deflateSync(damaged) : damaged;
  return Buffer.concat([png.subarray(0, 8), ...chunks.map(chunkBytes)]);
}

function chunksOf(png) {
  const chunks = [];
  for (let at = 8; at + 12 <= png.length; at += 12 + png.readUInt32BE(at)) {
    const content = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), content });
  }
  return chunks;
}

function chunkBytes({ type, content }) {
  const bytes = Buffer.alloc(content.length + 12);
  bytes.writeUInt32BE(content.length);
  bytes.write(type, 4, 'latin1');
  content.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), content.length + 8);
  return bytes;
}

/** An image may be in several chunks, of which none is whole. */
function tryInflate(content) {
  try {
    return inflateSync(content);
  } catch {
    return content;
  }
}

/** So that a tar file's changed headers get past their checksums: the sum of the bytes, its own field blank. */
function damageTar(tar, seeds, random) {
  const mended = mutate(tar, seeds, random);
  if (random(4) === 0) return mended;
  for (let at = 0; at + 512 <= mended.length; at += 512) {
    const header = mended.subarray(at, at + 512);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return mended;
}

/** Half of them have a whole footer, which says where everything is. */
function damageParquet(parquet, seeds, random) {
  if (random(2) === 0) return mutate(parquet, seeds, random);
  const pages = parquet.subarray(0, parquet.length - 8 - parquet.readUInt32LE(parquet.length - 8));
  const damaged = Buffer.alloc(pages.length);
  mutate(pages, seeds, random).copy(damaged);
  return Buffer.concat([damaged, parquet.subarray(pages.length)]);
}

// A damaged file may keep its reader busy for as long as it is let.
parquetProcess.limits.seconds = 3;

await fuzzAll({
  png: inFolder('png', named(/\.png$/), damagePng),
  jpeg: inFolder('jpg', named(/\.jpg$/)),
  others: inFolder('tif', named(/\.(?:webp|tif|gif|bmp|avif)$/)),
  tar: one('a.tar', named(/\.tar$/), damageTar),
  // Of the others nothing is read.
  parquet: one('a.parquet', named(/(?<!text|two-labels|labels-of-.*)\.parquet$/), damageParquet),
  npy: one('a.npy', read('images.npy')),
  npz: one('a.npz', read('stored.npz', 'deflated.npz')),
  labels: labelTables(),
});
