/** Tar and Parquet files as sources; the fixtures are of `oracle/make_image_shards.py`. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ImageOptions, openImages } from '../../../src/images/index.js';
import { fixture } from '../../fixtures.js';
import { TAR_END as END, tarMember as member } from '../build-files.js';

const SHAPE = { channels: 3, height: 8, width: 8 };
const shard = (name: string) => fixture(`images/${name}`);

async function open(t: Test, source: string, options: Partial<ImageOptions> = {}) {
  const set = await openImages(source, { shape: SHAPE, images: 'all', resize: 8, ...options });
  t.teardown(() => set.close());
  return set;
}

/** Which of the oracle's images each is: image i is of the colour (20 i, 255 - 20 i, 7). */
async function identify(set: Awaited<ReturnType<typeof open>>): Promise<number[]> {
  const found: number[] = [];
  for (let at = 0; at < set.count; at++) {
    const { data } = await set.crop(at);
    const [red, green, blue] = data;
    const one = data.every((value, i) => value === [red, green, blue][i % 3]);
    found.push(one && blue === 7 && red! + green! === 255 ? red! / 20 : Number.NaN);
  }
  return found;
}

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

t.test('a pattern of Parquet files is one source, with labels and class names', async (t) => {
  const set = await open(t, shard('hub-{00000..00001}-of-00002.parquet'));
  t.match(set, { total: 12, count: 12, classNames: ['ant', 'bee', 'cow'] });
  t.same(await identify(set), upTo(12));
  t.same(
    [...set.labels!],
    upTo(12).map((i) => i % 3),
  );
  t.equal(set.names![8], 'hub-00001-of-00002.parquet/0');
  const star = await open(t, shard('hub-*.parquet'), { labels: 'none' });
  t.match(star, { names: set.names, labels: null });
  const third = await open(t, shard('hub-*.parquet'), { images: 4, dataSeed: 3 });
  t.same(await identify(third), [...third.indices]);
});

t.test('images are the same however their pages are packed', async (t) => {
  for (const name of ['brotli-v2', 'gzip-v2', 'lz4-delta']) {
    t.same(await identify(await open(t, shard(`${name}.parquet`))), [0, 1], name);
  }
});

t.test('the column of labels is chosen where there are several', async (t) => {
  const file = shard('two-labels.parquet');
  await t.rejects(open(t, file), {
    code: 'ERR_IMAGES',
    message:
      /several columns of classes \(fine_label, coarse_label\); choose one by --labels column:fine_label/,
  });
  const set = await open(t, file, { labels: 'column:fine_label' });
  t.same([...set.labels!], [5, 6, 7]);
  t.same(await identify(set), upTo(3));
  await t.rejects(open(t, file, { labels: 'column:nope' }), {
    message: /has no column nope; columns are fine_label, coarse_label$/,
  });
  await t.rejects(open(t, file, { labels: 'column:img' }), {
    message: /has no column img; columns are fine_label/,
  });
  await t.rejects(open(t, file, { labels: 'folder' }), { code: 'ERR_OPTION' });
  await t.rejects(open(t, shard('gnu.tar'), { labels: 'column:a' }), { code: 'ERR_OPTION' });
});

t.test('Parquet files without images, or with a row without, are refused', async (t) => {
  await t.rejects(open(t, shard('text.parquet')), {
    code: 'ERR_IMAGES',
    message:
      /text\.parquet: has no column of images \(columns are text, label\); give a file with one column/,
  });
  const set = await open(t, shard('missing.parquet'));
  await t.rejects(set.fingerprint(), { message: /missing\.parquet row 1: has no image bytes in it/ });
  const skipping = await open(t, shard('missing.parquet'), { skipBadImages: true });
  t.match(skipping, { count: 1, skipped: [{ image: 'missing.parquet/1' }] });
});

t.test('damaged Parquet files are refused with their name', async (t) => {
  const dir = t.testdir({});
  const whole = readFileSync(shard('hub-00000-of-00002.parquet'));
  const cut = join(dir, 'cut.parquet');
  writeFileSync(cut, whole.subarray(0, 2000));
  await t.rejects(open(t, cut), {
    code: 'ERR_IMAGES',
    message: /cut\.parquet: is no readable Parquet file \(/,
  });
  writeFileSync(cut, '');
  await t.rejects(open(t, cut), { message: /cut\.parquet: is no readable Parquet file/ });
  // The data pages are gone, the footer is whole.
  const hollow = join(dir, 'hollow.parquet');
  writeFileSync(hollow, Buffer.concat([Buffer.alloc(600), whole.subarray(600)]));
  const set = await open(t, hollow, { labels: 'none' });
  await t.rejects(set.fingerprint(), { code: 'ERR_IMAGES', message: /hollow\.parquet: / });
});

t.test('tar shards give images and the classes beside them', async (t) => {
  const set = await open(t, shard('pax-{000000..000001}.tar'));
  t.same(await identify(set), upTo(6));
  t.same([...set.labels!], [0, 1, 2, 0, 1, 2]);
  t.equal(set.names![1], `pax-000000.tar/photos/${'long-'.repeat(25)}ä0001.png`);
  const gnu = await open(t, shard('gnu.tar'));
  t.same(await identify(gnu), [6, 7]);
  t.same([...gnu.labels!], [0, 1]);
  t.equal((await open(t, shard('gnu.tar'), { labels: 'none' })).labels, null);
});

t.test('a folder of shards is a source; of several splits one must be named', async (t) => {
  const dir = t.testdir({ tars: {}, splits: {} });
  for (const at of [0, 1]) copyFileSync(shard(`pax-00000${at}.tar`), join(dir, 'tars', `${at}.tar`));
  t.same(await identify(await open(t, join(dir, 'tars'))), upTo(6));
  copyFileSync(shard('text.parquet'), join(dir, 'splits', 'train-00000-of-00001.parquet'));
  copyFileSync(shard('hub-00001-of-00002.parquet'), join(dir, 'splits', 'test-00000-of-00001.parquet'));
  await t.rejects(open(t, join(dir, 'splits')), {
    message: /several splits \(test, train\); name one, such as/,
  });
  t.equal((await open(t, join(dir, 'splits', 'test-*.parquet'))).count, 4);
});

t.test('shards that are not there, or of two kinds, are named', async (t) => {
  const refused: [string, RegExp][] = [
    [shard('pax-{000000..000002}.tar'), /pax-000002\.tar: does not exist/],
    [shard('none-*.tar'), /none-\*\.tar: matches no file/],
    [shard('{gnu.tar,text.parquet}'), /does not exist \(looked for/],
    [shard('pax-{0..1}.*'), /does not exist/],
  ];
  for (const [source, message] of refused) await t.rejects(open(t, source), { code: 'ERR_IMAGES', message });
});

t.test(
  'a named pipe among shards is refused, not waited for',
  { skip: process.platform === 'win32' },
  async (t) => {
    const dir = t.testdir({ tars: {}, album: { 'b.tar': {} } });
    spawnSync('mkfifo', [join(dir, 'tars', 'a.tar')]);
    const message = /a\.tar: is not a regular file; take it out, or name the others/;
    await t.rejects(open(t, join(dir, 'tars')), { code: 'ERR_IMAGES', message });
    await t.rejects(open(t, join(dir, 'tars', '*.tar')), { code: 'ERR_IMAGES', message });
    copyFileSync(shard('rgb.png'), join(dir, 'album', 'b.tar', '1.png'));
    t.equal((await open(t, join(dir, 'album'))).count, 1, 'a folder of images may have any name');
  },
);

t.test('shards without images leave no gap', async (t) => {
  const dir = t.testdir({});
  const empty = Buffer.concat([member('readme.txt', 'x'), END]);
  for (const name of ['0', '2', '3', '5']) writeFileSync(join(dir, `${name}.tar`), empty);
  copyFileSync(shard('pax-000000.tar'), join(dir, '1.tar'));
  copyFileSync(shard('pax-000001.tar'), join(dir, '4.tar'));
  t.same(await identify(await open(t, dir)), upTo(6));
});

t.test('shards of equal names are told apart by their folders', async (t) => {
  const dir = t.testdir({ train: {}, val: {} });
  for (const [folder, at] of [
    ['train', 0],
    ['val', 1],
  ]) {
    copyFileSync(shard(`pax-00000${at}.tar`), join(dir, `${folder}`, '000.tar'));
    copyFileSync(shard(`hub-0000${at}-of-00002.parquet`), join(dir, `${folder}`, '0.parquet'));
  }
  const tar = await open(t, join(dir, '{train,val}', '000.tar'));
  t.equal(new Set(tar.names).size, 6);
  t.match([tar.names![0], tar.names![5]], [/^train\/000\.tar\//, /^val\/000\.tar\//]);
  const parquet = await open(t, join(dir, '{train,val}', '0.parquet'));
  t.match([parquet.names![0], parquet.names![11]], ['train/0.parquet/0', 'val/0.parquet/3']);
  await t.rejects(open(t, join(dir, '{train,train}', '000.tar')), {
    message: /names .*train.000\.tar twice/,
  });
});

t.test('a class that has no name is refused, with its row', async (t) => {
  const whole = readFileSync(shard('hub-00000-of-00002.parquet'));
  const file = join(t.testdir({}), 'few.parquet');
  // Fewer names for the classes 0, 1 and 2: as many bytes, so that the footer stays whole.
  const names = Buffer.from('["ant", "bee", "cow"]');
  const fewer = Buffer.from('["ant", "bee-or-cow"]');
  t.equal(names.length, fewer.length);
  const text = whole.toString('latin1');
  t.ok(text.includes(names.toString()), text.slice(text.indexOf('"names"'), text.indexOf('"names"') + 40));
  writeFileSync(file, Buffer.from(text.replaceAll(names.toString(), fewer.toString()), 'latin1'));
  await t.rejects(open(t, file), {
    code: 'ERR_IMAGES',
    message:
      /few\.parquet: the column label has 2 at row 2, and there are names for 2 classes; give --labels FILE/,
  });
  t.equal((await open(t, file, { labels: 'none' })).count, 8);
});
