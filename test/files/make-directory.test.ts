import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirectory } from '../../src/files/make-directory.js';

t.test('many may make the same directories at once', async (t) => {
  const root = t.testdir({});
  for (let round = 0; round < 50; round++) {
    const path = join(root, String(round), 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
    t.ok(statSync(path).isDirectory());
  }
});

t.test('what cannot be made is an error', async (t) => {
  const file = join(t.testdir({}), 'file');
  writeFileSync(file, '');
  await t.rejects(makeDirectory(file), { code: 'EEXIST' });
  await t.rejects(makeDirectory(join(file, 'inside')), { code: 'ENOTDIR' });
  if (existsSync('/proc/self')) await t.rejects(makeDirectory('/proc/nothing/here'), { code: 'ENOENT' });
});
