/**
 * Makes what is published: the package `critmap` without anything compiled, and the addon of one platform as
 * `@critmap/PLATFORM`, one tarball each.
 *
 *   npm run package                              for this machine, into packages/
 *   npm run package -- --target linux-arm64      by Debian's cross compiler (g++-aarch64-linux-gnu)
 *   npm run package -- --addon FILE --out DIR    packs an addon that is there already
 *
 * On Linux the addon needs no newer C library than Node 20 does; it is looked at, not hoped for.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { extract } from 'tar';
import { BUNDLED, TYPED } from './bundled.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { version, license, engines } = manifest;
/** What Node 20's own builds need. */
const NEWEST_GLIBC = [2, 28];

/** By platform: what npm compares with the machine, how it is built, the programs that look at the result. */
const TARGETS = {
  'linux-x64': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-arm64': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'], cross: 'aarch64-linux-gnu' },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'win32-x64': { os: ['win32'], cpu: ['x64'] },
};

const here = `${process.platform}-${process.arch}`;
const { values } = parseArgs({
  options: {
    target: { type: 'string', default: here },
    addon: { type: 'string' },
    out: { type: 'string', default: join(root, 'packages') },
  },
});
const { target } = values;
const out = resolve(values.out);
const kind = TARGETS[target] ?? fail(`--target ${target} is none of ${Object.keys(TARGETS).join(', ')}`);
if (target !== here && !kind.cross) fail(`${target} can be packed on such a machine only, this is ${here}`);
/** Of a cross compiler, if it is one. */
const prefix = kind.cross && target !== here ? `${kind.cross}-` : '';

const work = mkdtempSync(join(tmpdir(), 'critmap-package-'));
try {
  mkdirSync(out, { recursive: true });
  const addon = values.addon ? resolve(values.addon) : built();
  say(pack(addonPackage(addon)));
  say(pack(mainPackage()));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Builds it in a folder of its own: what a developer has built stays. */
function built() {
  const folder = join(root, 'build', 'package', target);
  const cmakeJs = join(
    dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')),
    'bin',
    'cmake-js',
  );
  const options = ['build', '--out', folder, '--parallel', '2'];
  if (process.platform === 'linux') options.push('--CDCRITMAP_PORTABLE=ON');
  if (prefix) {
    options.push('--arch', kind.cpu[0], '--CDCRITMAP_CUDA=OFF', '--CDCRITMAP_JPEG=OFF');
    options.push(`--CDCMAKE_TOOLCHAIN_FILE=${join(root, 'cpp', 'cmake', `${kind.cross}.cmake`)}`);
  }
  execFileSync(process.execPath, [cmakeJs, ...options], { cwd: root, stdio: ['ignore', 2, 2] });
  return join(folder, 'Release', 'critmap.node');
}

function addonPackage(addon) {
  const folder = join(work, target);
  mkdirSync(folder);
  cpSync(addon, join(folder, 'critmap.node'));
  if (process.platform === 'linux') {
    execFileSync(`${prefix}strip`, ['--strip-unneeded', join(folder, 'critmap.node')]);
    checkSymbols(join(folder, 'critmap.node'));
  }
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const notice = [
    `The native addon of critmap ${version} for ${target}. Install critmap instead, which depends on it.`,
    '',
    'Linked in, where the build had them: libjpeg-turbo (IJG and BSD licences; this software is based in part on the',
    'work of the Independent JPEG Group), the GNU C++ library (GPL with the runtime library exception), and the CUDA',
    "runtime (NVIDIA's licence, redistributable).",
    '',
  ];
  writeFileSync(join(folder, 'README.md'), notice.join('\n'));
  const { os, cpu, libc } = kind;
  const own = {
    name: `@critmap/${target}`,
    version,
    description: `The native addon of critmap for ${target}`,
    ...{ license, os, cpu, ...(libc && { libc }), engines },
    main: 'critmap.node',
    files: ['critmap.node'],
    preferUnplugged: true,
  };
  writeJson(join(folder, 'package.json'), own);
  return folder;
}

/** @throws when the addon names a version of a library's symbols that older systems lack */
function checkSymbols(file) {
  const table = execFileSync(`${prefix}objdump`, ['-T', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const found = [...table.matchAll(/\b(GLIBC|GLIBCXX)_([\d.]+)\)?\s+(\S+)/g)];
  const isNewer = ([major, minor]) =>
    major > NEWEST_GLIBC[0] || (major === NEWEST_GLIBC[0] && minor > NEWEST_GLIBC[1]);
  const wrong = found.filter(
    ([, library, text]) => library === 'GLIBCXX' || isNewer(text.split('.').map(Number)),
  );
  if (wrong.length > 0) {
    const names = wrong.map(([, library, text, symbol]) => `${symbol} (${library} ${text})`);
    fail(
      `the addon needs what glibc ${NEWEST_GLIBC.join('.')} does not have: ${[...new Set(names)].join(', ')}`,
    );
  }
  const newest = found
    .map(([, , text]) => text.split('.').map(Number))
    .sort(byVersion)
    .at(-1);
  say(`${target}: needs glibc ${newest.join('.')} at least`);
}

function byVersion(a, b) {
  return a[0] - b[0] || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0);
}

/**
 * As in the tree, without what is for developers or inside of `dist`, and with the addons as optional dependencies.
 */
function mainPackage() {
  const folder = join(work, 'critmap');
  mkdirSync(folder);
  const [{ filename }] = JSON.parse(
    npm(['pack', '--ignore-scripts', '--json', '--pack-destination', work], root),
  );
  extract({ file: join(work, filename), cwd: folder, strip: 1, sync: true });
  const { devDependencies: _, scripts, ...rest } = manifest;
  const isInside = (name) => BUNDLED.includes(name) && !TYPED.includes(name);
  const dependencies = Object.fromEntries(
    Object.entries(rest.dependencies).filter(([name]) => !isInside(name)),
  );
  const addons = Object.fromEntries(Object.keys(TARGETS).map((name) => [`@critmap/${name}`, version]));
  const optionalDependencies = { ...rest.optionalDependencies, ...addons };
  writeJson(join(folder, 'package.json'), {
    ...{ ...rest, scripts: { 'build:addon': scripts['build:addon'] }, dependencies, optionalDependencies },
  });
  return folder;
}

function pack(folder) {
  const [{ filename, size, unpackedSize }] = JSON.parse(
    npm(['pack', '--ignore-scripts', '--json', '--pack-destination', out], folder),
  );
  return `${join(out, filename)}: ${megabytes(size)}, unpacked ${megabytes(unpackedSize)}`;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function npm(args, cwd) {
  const program = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const stdio = ['ignore', 'pipe', 'ignore'];
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio, shell: program.endsWith('.cmd') });
}

function writeJson(path, content) {
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function fail(text) {
  process.stderr.write(`critmap: ${text}\n`);
  process.exit(1);
}
