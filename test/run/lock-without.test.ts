/** File systems that know no locks, played by a library that is loaded before the system's: Linux, with gcc. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { fixture } from '../fixtures.js';

const dir = t.testdir({
  'no-locks.c': `
    #include <errno.h>
    #include <stdlib.h>
    int flock(int file, int operation) { (void)file; (void)operation; errno = atoi(getenv("FLOCK_ERRNO")); return -1; }
  `,
});
const library = join(dir, 'no-locks.so');
const made =
  process.platform === 'linux' &&
  spawnSync('gcc', ['-shared', '-fPIC', '-o', library, join(dir, 'no-locks.c')]).status === 0;
const skip = made ? false : 'needs Linux and gcc';
const dist = (name: string) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

function without(error: keyof typeof constants.errno, args: string[]) {
  const env = { ...process.env, LD_PRELOAD: library, FLOCK_ERRNO: String(constants.errno[error]) };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

t.test('a sweep goes on there, says so, and leaves nothing behind', { skip }, async (t) => {
  const out = join(dir, 'run');
  const words = [
    'sweep',
    fixture('mlp.onnx'),
    '--data',
    'synthetic:8',
    '--images',
    '8',
    '--out',
    out,
    '--quiet',
  ];
  for (const images of ['8', '8']) {
    const { status, stderr } = without('ENOLCK', [dist('cli.js'), ...words, '--batch', images]);
    t.equal(status, 0, stderr);
    t.match(stderr, /run knows no locks; see to it that no other critmap writes there/);
    t.notOk(existsSync(join(out, 'lock')));
  }
  t.match(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')), {
    status: 'done',
    warnings: [/knows no locks/],
  });
});

t.test(
  'who was there before is named where another machine may be; other errors are errors',
  { skip },
  async (t) => {
    const path = join(dir, 'lock');
    const program = `
    import { lock } from ${JSON.stringify(dist('run/lock.js'))};
    try {
      const { warnings, release } = await lock(${JSON.stringify(path)});
      await release();
      console.log(warnings.length);
    } catch (error) {
      console.log(error.code, error.message);
    }
  `;
    const tried = (error: keyof typeof constants.errno) =>
      without(error, ['--input-type=module', '-e', program]).stdout.trim();
    for (const error of ['ENOLCK', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'] as const)
      t.equal(tried(error), '1', error);
    t.match(tried('EIO'), /^ERR_RUN cannot write .*lock: [^\n]*$/);
    t.match(tried('EWOULDBLOCK'), /^ERR_RUN .* is in use by another critmap/);
    writeFileSync(path, '{"pid":1,"host":"elsewhere"}');
    t.match(tried('ENOLCK'), /^ERR_RUN .* in use by another critmap \(process 1 on elsewhere\)/);
    t.ok(existsSync(path), 'it is not taken over');
  },
);
