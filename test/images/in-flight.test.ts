/** JPEG files on their way through the addon when somebody loses interest. */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { type ImageOptions, openImages } from '../../src/images/index.js';
import { fixture } from '../fixtures.js';

const SHAPE = { channels: 3, height: 32, width: 32 };
const FLOATS = 3 * 32 * 32;
const COUNT = 60;
const photo = (name: string) => fixture(`images/photo-${name}.jpg`);
const PHOTOS = ['astronaut', 'chelsea', 'coffee'].map(photo);

function photos(t: Test): string {
  const root = join(t.testdir({}), 'photos');
  mkdirSync(root);
  for (let at = 0; at < COUNT; at++) copyFileSync(PHOTOS[at % 3]!, join(root, `${at + 10}.jpg`));
  return root;
}

async function open(t: Test, root: string, options: Partial<ImageOptions> = {}) {
  const set = await openImages(root, { shape: SHAPE, images: 'all', ...options });
  t.teardown(() => set.close());
  return set;
}

/** Comparing value by value takes seconds. */
const same = (a: Float32Array, b: Float32Array) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const space = () => new Float32Array(COUNT * FLOATS);

t.test('many reads at once give what one gives', async (t) => {
  const set = await open(t, photos(t));
  const expected = space();
  await set.read(0, COUNT, expected);
  const found = Array.from({ length: 8 }, space);
  await Promise.all(found.map((out) => set.read(0, COUNT, out)));
  for (const out of found) t.ok(same(out, expected));
  t.notOk(expected.subarray(0, FLOATS).every((value, at) => value === expected[FLOATS + at]));
});

t.test('after an abort nothing is written any more, and the next read is whole', async (t) => {
  const set = await open(t, photos(t), { cache: join(t.testdirName, 'cache') });
  const expected = space();
  await set.read(0, COUNT, expected);
  for (const after of [0, 1, 3, 10]) {
    const again = await open(t, join(t.testdirName, 'photos'));
    const controller = new AbortController();
    const out = space();
    const reading = again.read(0, COUNT, out, controller.signal);
    const checking = again.fingerprint(controller.signal);
    await setTimeout(after);
    controller.abort(new Error('enough'));
    const ended = await Promise.allSettled([reading, checking]);
    for (const { status, reason } of ended as PromiseRejectedResult[]) {
      // None is done before its first turn.
      if (status === 'rejected' || after === 0) t.match(reason, { message: 'enough' });
    }
    const left = out.slice();
    await setTimeout(30);
    t.ok(same(out, left));
    await again.read(0, COUNT, out);
    t.ok(same(out, expected));
  }
});

t.test('a set that is closed in the middle ends its reads, whole or with a reason', async (t) => {
  const root = photos(t);
  const cache = join(t.testdirName, 'cache');
  const whole = space();
  await (await open(t, root)).read(0, COUNT, whole);
  for (const options of [{}, { cache }]) {
    const set = await openImages(root, { shape: SHAPE, images: 'all', ...options });
    const out = space();
    const work = Promise.allSettled([set.read(0, COUNT, out), set.fingerprint()]);
    await setTimeout(2);
    await set.close();
    await t.rejects(set.read(0, 1, new Float32Array(FLOATS)), { message: /are closed/ });
    for (const ended of await work) {
      if (ended.status === 'rejected') t.ok(ended.reason instanceof Error, String(ended.reason));
    }
    if ((await work)[0].status === 'fulfilled') t.ok(same(out, whole));
  }
});

t.test('files that vanish or change in the middle are named, and the rest is read', async (t) => {
  const root = photos(t);
  const set = await open(t, root);
  const files = readdirSync(root);
  const reading = Array.from({ length: 4 }, () => set.read(0, COUNT, space()).catch((error) => error));
  rmSync(join(root, files.at(-1)!));
  writeFileSync(join(root, files.at(-2)!), '');
  for (const ended of await Promise.all(reading)) {
    if (ended) t.match(ended.message, /(does not exist; check|decoded \(the file is empty\)|header|early)/);
  }
  await set.read(0, COUNT - 2, new Float32Array((COUNT - 2) * FLOATS));
  await t.rejects(set.read(0, COUNT, space()), {
    message: /68\.jpg: cannot be decoded \(the file is empty\)/,
  });
  await t.rejects(set.read(COUNT - 1, COUNT, new Float32Array(FLOATS)), {
    message: /69\.jpg: does not exist/,
  });
});

t.test('a worker thread that is terminated with files under way does not hurt', async (t) => {
  const addon = process.env.CRITMAP_ADDON ?? fixture('../../build/Release/critmap.node');
  const busy = `
    const { workerData, parentPort } = require('node:worker_threads');
    const addon = require(workerData.addon);
    const fit = { resize: 40, interpolation: 'bilinear', crop: { height: 32, width: 32 } };
    const work = () => {
      const digest = new Uint8Array(32);
      addon.fitJpeg(workerData.file, 3, fit, 1e8, new Uint8Array(3072), digest).then(work);
    };
    for (let i = 0; i < 16; i++) work();
    parentPort.postMessage('started');`;
  for (let wait = 0; wait < 8; wait++) {
    const worker = new Worker(busy, { eval: true, workerData: { addon, file: PHOTOS[0] }, execArgv: [] });
    await new Promise((resolve) => worker.once('message', resolve));
    await setTimeout(wait);
    t.equal(await worker.terminate(), 1);
  }
});
