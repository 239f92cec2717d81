import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { native } from '../../src/native/addon.js';
import { openInFolder, openScratchFile, type ScratchFile } from '../../src/native/scratch-file.js';

const before = process.env.TMPDIR;
t.afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
});

async function holds(t: Test, file: ScratchFile) {
  await file.handle.writeFile('some bytes');
  const path = typeof file.reference === 'string' ? file.reference : `/proc/self/fd/${file.reference}`;
  t.equal(readFileSync(path, 'utf8'), 'some bytes', 'others can read it');
  await file.close();
  t.notOk(existsSync(path), 'it is gone when it is closed');
}

t.test('a file in a folder of its own, which goes with it', async (t) => {
  process.env.TMPDIR = t.testdir({});
  await holds(t, await openInFolder());
  t.strictSame(readdirSync(process.env.TMPDIR), []);
  process.env.TMPDIR = '/no/such/folder';
  await t.rejects(openInFolder(), { code: 'ENOENT' });
});

const skip = process.platform === 'linux' ? false : 'only Linux has files without names';
t.test('a file without a name needs no folder', { skip }, async (t) => {
  process.env.TMPDIR = '/no/such/folder';
  const file = await openScratchFile();
  t.type(file.reference, 'number');
  await holds(t, file);
});

t.test('the addon takes open files and names, and no other numbers', async (t) => {
  const { runtime } = native();
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 31, 2 ** 31 - 1, 2 ** 53]) {
    await t.rejects(runtime.optimise('library', wrong, 'to'), RangeError, String(wrong));
    await t.rejects(runtime.optimise('library', 'from', wrong), RangeError, String(wrong));
  }
  await t.rejects(runtime.optimise('library', null as unknown as string, 'to'), TypeError);
});
