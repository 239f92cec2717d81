/**
 * Builds the addon with an emulated CUDA runtime beside the normal one and runs the tests that need a card on it:
 * the engine's way over device memory and kernels, with ONNX Runtime's own kernels in between. Linux.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const build = join(root, 'build-emulated');
const { resolve } = createRequire(import.meta.url);

function run(args, env = {}) {
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  process.stderr.write(`${args.join(' ')} failed${error ? `: ${error.message}` : ''}\n`);
  process.exit(1);
}

const cmakeJs = join(dirname(resolve('cmake-js/package.json')), 'bin', 'cmake-js');
run([cmakeJs, 'build', '-O', build, '--CDCRITMAP_CUDA=EMULATE']);
// The command line is tested too.
run([join(root, 'scripts', 'bootstrap.mjs'), 'dist']);
const CRITMAP_ADDON = join(build, 'Release', 'critmap.node');
// Seconds: the kernels' threads take turns.
const TAP_TIMEOUT = '900';
for (const file of [
  join('engines', 'card.test.ts'),
  join('engines', 'emulated-card.test.ts'),
  join('binding', 'fuzz.test.ts'),
]) {
  run(['--import=tsx', join('test', file)], { CRITMAP_ADDON, TAP_TIMEOUT });
}
// Two cards, and one on which nothing has room.
for (const [file, CRITMAP_EMULATED_CARDS] of [
  [join('native', 'open-card.test.ts'), '1024,1024,1'],
  [join('engines', 'several-cards.test.ts'), '4096,4096,1'],
]) {
  run(['--import=tsx', join('test', file)], { CRITMAP_ADDON, TAP_TIMEOUT, CRITMAP_EMULATED_CARDS });
}
