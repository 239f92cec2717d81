import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const skip =
  process.platform !== 'linux'
    ? 'the emulated CUDA runtime is for Linux'
    : spawnSync('cmake', ['--version']).error
      ? 'cmake is not on PATH'
      : false;

const build = t.testdir();

t.test('the emulated CUDA runtime and gpu-check build on the host', { skip, timeout: 600_000 }, async () => {
  const options = ['-DCRITMAP_CUDA=EMULATE', '-DCRITMAP_WERROR=ON'];
  execFileSync('cmake', ['-S', join(root, 'cpp', 'gpu-check'), '-B', build, ...options], { stdio: 'pipe' });
  execFileSync('cmake', ['--build', build, '--parallel', '2'], { stdio: 'pipe' });
});

t.test('the CUDA kernels give the bits of the processor, over an emulated grid', { skip }, async (t) => {
  const program = join(build, 'gpu-check');
  const run = spawnSync(program, ['--small', '--seed', '1'], { encoding: 'utf8' });
  t.equal(run.status, 0, run.stdout + run.stderr);
  t.match(run.stdout, /^PASS: 2\d\d\d checks, 0 failed$/m);
  t.equal(spawnSync(program, ['--device', '1'], { encoding: 'utf8' }).status, 77, 'there is no such card');
  t.equal(spawnSync(program, ['--seed', 'x'], { encoding: 'utf8' }).status, 2);
});

t.test('an emulated card lets nobody touch the memory of another', { skip }, async (t) => {
  const misuse = (what: string, more = {}) =>
    spawnSync(join(build, 'emulation-misuse'), [what], {
      encoding: 'utf8',
      env: { ...process.env, CRITMAP_EMULATED_CARDS: '64,16', ...more },
    });
  const ends = {
    copy: "a copy touches another card's memory",
    'copy-over': "a copy touches another card's memory",
    fill: "a copy touches another card's memory",
    kernel: "a kernel touches another card's memory",
    run: "a kernel touches another card's memory",
    host: 'device memory is touched outside kernels',
  };
  for (const [what, message] of Object.entries(ends)) {
    t.match(misuse(what), { signal: 'SIGABRT', stderr: `emulation: ${message}\n` }, what);
  }
  const refused = {
    launch: 'starting a kernel: cudaErrorInvalidResourceHandle: emulated\n',
    event: 'recording an event: cudaErrorInvalidResourceHandle: emulated\n',
    device: 'choosing a device: cudaErrorInvalidDevice: emulated\n',
    memory: 'taking device memory: cudaErrorMemoryAllocation: emulated\n',
    beside: 'not in order with the legacy stream\n',
  };
  for (const [what, stdout] of Object.entries(refused)) t.match(misuse(what), { status: 1, stdout }, what);
  for (const what of ['own-run', 'ordered', 'fault', 'nothing'])
    t.match(misuse(what), { status: 0, stdout: '', stderr: '' }, what);
  for (const [fault, said] of [
    ['3', 'waiting for the device'],
    ['1', '(filling device memory|waiting for the device)'],
  ]) {
    const { status, stdout } = misuse('fault', { CRITMAP_EMULATED_FAULT: fault });
    t.equal(status, 1);
    t.match(stdout, new RegExp(`^${said}: cudaErrorIllegalAddress: emulated\n$`));
  }
});
