/**
 * Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer beside the normal one and runs the native
 * tests on it. Linux with GCC or Clang. Leaks are not looked for: Node and ONNX Runtime keep memory until the end.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const build = join(root, 'build-sanitize');
const { resolve } = createRequire(import.meta.url);

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}\n`);
    process.exit(1);
  }
}

const cmakeJs = join(dirname(resolve('cmake-js/package.json')), 'bin', 'cmake-js');
run(process.execPath, [
  cmakeJs,
  'build',
  '-O',
  build,
  '--CDCRITMAP_SANITIZE=address,undefined',
  '--CDCRITMAP_CUDA=OFF',
]);

// Node is not built with the sanitizers, so their runtimes come first; libstdc++ for its exceptions.
const compiler = process.env.CXX ?? 'c++';
const runtime = (name) => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
const preload = ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map(runtime).join(' ');
const loader = join(dirname(resolve('@tapjs/typescript/package.json')), 'dist', 'esm', 'import.mjs');
const wanted = process.argv.slice(2);
// These run compilers, which do not bear the preloaded runtimes, and load no addon.
const withoutAddon = [
  'headers.test.ts',
  join('cuda', 'emulation.test.ts'),
  join('onnxruntime', 'abi.test.ts'),
];
const tests = readdirSync(join(root, 'test', 'cpp'), { recursive: true }).filter(
  (name) =>
    name.endsWith('.test.ts') &&
    !withoutAddon.includes(name) &&
    (wanted.length === 0 || wanted.some((word) => name.includes(word))),
);
for (const name of tests) {
  process.stderr.write(`sanitize: ${name}\n`);
  run(process.execPath, [`--import=file://${loader}`, join('test', 'cpp', name)], {
    CRITMAP_ADDON: join(build, 'Release', 'critmap.node'),
    LD_PRELOAD: preload,
    ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
    // Seconds: several times slower than without.
    TAP_TIMEOUT: '900',
  });
}
