/** What is written for Windows compiles for it: by MinGW (Debian's g++-mingw-w64-x86-64), which runs anywhere. */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const cpp = fileURLToPath(new URL('../../cpp', import.meta.url));
const compiler = 'x86_64-w64-mingw32-g++';
const skip = spawnSync(compiler, ['--version']).status === 0 ? false : `${compiler} is not on PATH`;

t.test('files that ask for Windows compile for it', { skip }, async (t) => {
  const files = readdirSync(cpp, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.cpp') && readFileSync(join(cpp, name), 'utf8').includes('_WIN32'),
  );
  t.ok(files.some((name) => name.endsWith('lock_file.cpp')));
  // GetProcAddress gives functions of any kind as one kind.
  const options = ['-std=c++20', '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Wno-cast-function-type'];
  for (const name of files) {
    const done = promisify(execFile)(compiler, [...options, '-I', cpp, join(cpp, name)]);
    await t.resolves(done, name);
  }
});
