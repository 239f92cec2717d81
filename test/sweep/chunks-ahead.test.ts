import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Chunk } from '../../src/engines/chunk.js';
import { floatsOf, imagesOf } from '../../src/engines/chunk.js';
import { openImages } from '../../src/images/index.js';
import { ChunksAhead, chunkSize, readChunk } from '../../src/sweep/chunks-ahead.js';
import { bytesOf, npy } from '../images/build-files.js';
import { watched } from '../watched-images.js';

const SHAPE = { channels: 3, height: 8, width: 8 };
const PER_IMAGE = 3 * 8 * 8;

t.test('chunks come in order, whole, through two buffers that are used again', async (t) => {
  const images = await openImages('synthetic:50', { shape: SHAPE, images: 'all' });
  t.teardown(() => images.close());
  t.equal(chunkSize(images, 'fast'), 256);
  const ahead = new ChunksAhead(images, 16, [0, 1, 3], 1);
  const memory = new Set<ArrayBufferLike>();
  for (const index of [0, 1, 3]) {
    const chunk = await ahead.next();
    const alone = await readChunk(images, index, 16);
    t.match(chunk, { index, count: index === 3 ? 2 : 16 });
    t.equal(memoryOf(chunk!).length, chunk!.count * PER_IMAGE, 'a byte per value');
    t.ok(memoryOf(alone).equals(memoryOf(chunk!)), `chunk ${index}`);
    memory.add(memoryOf(chunk!).buffer);
    ahead.release(chunk!);
  }
  t.equal(await ahead.next(), null);
  t.equal(memory.size, 2);
  t.ok(ahead.seconds.decode > 0 && ahead.seconds.waiting >= 0);
  await ahead.close();
});

/** 64 images, and how often they have been read. */
async function counted(t: Test) {
  const set = await openImages('synthetic:64', { shape: SHAPE, images: 'all' });
  t.teardown(() => set.close());
  let reads = 0;
  const images = watched(set, async (read) => {
    reads++;
    await read();
  });
  return { set, images, reads: () => reads };
}

t.test('several chunks can be in use, and one is read meanwhile', async (t) => {
  const { set, images, reads } = await counted(t);
  const ahead = new ChunksAhead(images, 8, [0, 1, 2, 3, 4, 5], 2);
  const [first, second] = [(await ahead.next())!, (await ahead.next())!];
  const before = Buffer.from(memoryOf(first));
  for (let i = 0; i < 40; i++) await readChunk(set, 3, 8);
  t.equal(reads(), 3);
  ahead.release(second);
  ahead.release(second);
  const third = (await ahead.next())!;
  t.equal(third.index, 2);
  for (let i = 0; i < 40; i++) await readChunk(set, 3, 8);
  t.equal(reads(), 4);
  t.ok(memoryOf(first).equals(before), 'in use');
  t.not(memoryOf(third).buffer, memoryOf(first).buffer);
  await ahead.close();
});

/** A chunk's images as they lie in memory. */
function memoryOf({ images }: Chunk): Buffer {
  const { buffer, byteOffset, byteLength } = images instanceof Float32Array ? images : images.pixels;
  return Buffer.from(buffer, byteOffset, byteLength);
}

t.test('reading is one chunk ahead and no more, and does not touch the chunk in use', async (t) => {
  const { set, images, reads } = await counted(t);
  const ahead = new ChunksAhead(images, 16, [0, 1, 2, 3], 1);
  const first = await ahead.next();
  const before = Buffer.from(memoryOf(first!));
  // All that can be read meanwhile has been when these have.
  for (let i = 0; i < 40; i++) await readChunk(set, 3, 16);
  t.equal(reads(), 2);
  t.ok(memoryOf(first!).equals(before));
  await ahead.next();
  await ahead.close();
});

t.test('a failure is met when its chunk is asked for; closing stops what is under way', async (t) => {
  const set = await openImages('synthetic:64', { shape: SHAPE, images: 'all' });
  t.teardown(() => set.close());
  let reads = 0;
  const failing = watched(set, async (read) => {
    if (++reads === 2) throw new Error('the disk is gone');
    await read();
  });
  const ahead = new ChunksAhead(failing, 16, [0, 1, 2], 1);
  t.equal((await ahead.next())!.index, 0);
  await t.rejects(ahead.next(), { message: 'the disk is gone' });
  await ahead.close();
  const stopped = new ChunksAhead(set, 16, [0, 1], 1);
  await stopped.close();
  await t.rejects(stopped.next(), { name: 'AbortError' });
  const signal = AbortSignal.abort(new Error('enough'));
  const aborted = new ChunksAhead(set, 16, [0], 1, signal);
  await t.rejects(aborted.next(), { message: 'enough' }, "the signal's own reason");
  await aborted.close();
});

t.test('any part of a chunk is, normalised, what reading gives', async (t) => {
  const images = await openImages('synthetic:20', { shape: SHAPE, images: 'all' });
  t.teardown(() => images.close());
  const chunk = await readChunk(images, 1, 12);
  for (const [from, to] of [
    [0, 8],
    [3, 4],
    [7, 8],
  ] as const) {
    const read = new Float32Array((to - from) * PER_IMAGE);
    await images.read(12 + from, 12 + to, read);
    t.strictSame(floatsOf(chunk, from, to), read);
    t.match(imagesOf(chunk, from, to), { table: images.normalizeTable });
  }
});

t.test('chunks of tensors are floats, as they are', async (t) => {
  const stored = Float32Array.from({ length: 5 * PER_IMAGE }, (_, i) => Math.fround(i / 7 - 20));
  const file = join(t.testdir(), 'tensors.npy');
  await writeFile(file, npy('<f4', [5, 3, 8, 8], bytesOf(stored)));
  const images = await openImages(file, { shape: SHAPE, images: 'all' });
  t.teardown(() => images.close());
  const ahead = new ChunksAhead(images, 2, [0, 2], 1);
  t.strictSame((await ahead.next())!.images, stored.subarray(0, 2 * PER_IMAGE));
  const last = (await ahead.next())!;
  t.strictSame(last.images, stored.subarray(4 * PER_IMAGE));
  t.strictSame(imagesOf(last, 0, 1), floatsOf(last, 0, 1));
  await ahead.close();
});
