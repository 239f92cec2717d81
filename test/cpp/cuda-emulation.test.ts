import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const skip =
  process.platform !== 'linux'
    ? 'the emulated CUDA runtime is for Linux'
    : spawnSync('cmake', ['--version']).error
      ? 'cmake is not on PATH'
      : false;

t.test(
  'the CUDA kernels give the bits of the processor, over an emulated grid',
  { skip, timeout: 600_000 },
  async (t) => {
    const build = t.testdir();
    const options = ['-DCRITMAP_CUDA=EMULATE', '-DCRITMAP_WERROR=ON'];
    execFileSync('cmake', ['-S', join(root, 'cpp', 'gpu-check'), '-B', build, ...options], { stdio: 'pipe' });
    execFileSync('cmake', ['--build', build, '--parallel', '2'], { stdio: 'pipe' });
    const program = join(build, 'gpu-check');
    const run = spawnSync(program, ['--small', '--seed', '1'], { encoding: 'utf8' });
    t.equal(run.status, 0, run.stdout + run.stderr);
    t.match(run.stdout, /^PASS: 1\d\d\d checks, 0 failed$/m);
    t.equal(spawnSync(program, ['--device', '1'], { encoding: 'utf8' }).status, 77, 'there is no such card');
    t.equal(spawnSync(program, ['--seed', 'x'], { encoding: 'utf8' }).status, 2);
  },
);
