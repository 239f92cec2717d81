import t from 'tap';
import { ChunksAhead, chunkSize, readChunk } from '../src/chunks.js';
import { openImages } from '../src/images/index.js';
import { watched } from './watched-images.js';

const SHAPE = { channels: 3, height: 8, width: 8 };
const PER_IMAGE = 3 * 8 * 8;

t.test('chunks come in order, whole, through two buffers that are used again', async (t) => {
  const images = await openImages('synthetic:50', { shape: SHAPE, images: 'all' });
  t.teardown(() => images.close());
  t.equal(chunkSize(images, 'fast'), 256);
  const ahead = new ChunksAhead(images, 16, [0, 1, 3]);
  const memory = new Set<ArrayBufferLike>();
  for (const index of [0, 1, 3]) {
    const chunk = await ahead.next();
    const alone = await readChunk(images, index, 16);
    t.match(chunk, { index, count: index === 3 ? 2 : 16 });
    t.equal(chunk!.images.length, chunk!.count * PER_IMAGE);
    t.ok(Buffer.from(alone.images.buffer).equals(bytesOf(chunk!.images)), `chunk ${index}`);
    memory.add(chunk!.images.buffer);
  }
  t.equal(await ahead.next(), null);
  t.equal(memory.size, 2);
  t.ok(ahead.waitedMs >= 0);
  await ahead.close();
});

const bytesOf = (floats: Float32Array) => Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);

t.test('reading is one chunk ahead and no more, and does not touch the chunk in use', async (t) => {
  const set = await openImages('synthetic:64', { shape: SHAPE, images: 'all' });
  t.teardown(() => set.close());
  let reads = 0;
  const images = watched(set, async (read) => {
    reads++;
    await read();
  });
  const ahead = new ChunksAhead(images, 16, [0, 1, 2, 3]);
  const first = await ahead.next();
  const before = Buffer.from(bytesOf(first!.images));
  // All that can be read meanwhile has been when these have.
  for (let i = 0; i < 40; i++) await readChunk(set, 3, 16);
  t.equal(reads, 2);
  t.ok(bytesOf(first!.images).equals(before));
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
  const ahead = new ChunksAhead(failing, 16, [0, 1, 2]);
  t.equal((await ahead.next())!.index, 0);
  await t.rejects(ahead.next(), { message: 'the disk is gone' });
  await ahead.close();
  const stopped = new ChunksAhead(set, 16, [0, 1]);
  await stopped.close();
  await t.rejects(stopped.next(), { name: 'AbortError' });
  const signal = AbortSignal.abort(new Error('enough'));
  const aborted = new ChunksAhead(set, 16, [0], signal);
  await t.rejects(aborted.next(), { message: 'enough' }, "the signal's own reason");
  await aborted.close();
});
