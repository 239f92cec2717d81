/**
 * Brings a clone to where it can run: dependencies, addon, `dist`. Each is made only when it is missing or
 * older than its sources. Uses nothing but Node, since it runs before anything is installed.
 *
 *   node scripts/bootstrap.mjs            all three
 *   node scripts/bootstrap.mjs addon dist only those (npm's prepare script; `npm test` adds `tests`)
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inRoot = (...parts) => join(root, ...parts);
const stamp = inRoot('node_modules', '.critmap-lock');
const addon = inRoot('build', 'Release', 'critmap.node');
/** What is made last. */
const dist = inRoot('dist', 'page', 'page-script.js');

const steps = {
  dependencies() {
    const lock = createHash('sha256')
      .update(readFileSync(inRoot('package-lock.json')))
      .digest('hex');
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
    // Installed by hand: npm keeps what it installed beside the packages.
    const installed = inRoot('node_modules', '.package-lock.json');
    const whole = existsSync(inRoot('node_modules', 'typescript')) && existsSync(installed);
    if (whole && statSync(installed).mtimeMs >= statSync(inRoot('package-lock.json')).mtimeMs) return;
    say('installing dependencies (npm ci)');
    // No package needs its install script here, and one of them would download from outside the registry.
    run(
      npm(),
      ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
      'npm ci failed; is the npm registry reachable?',
    );
    writeFileSync(stamp, lock);
  },

  addon() {
    const sources = newest('cpp', 'binding', 'CMakeLists.txt');
    if (existsSync(addon) && statSync(addon).mtimeMs >= sources) return;
    say('building the native addon (cmake-js)');
    requireTools();
    run(
      process.execPath,
      [tool('cmake-js', 'bin/cmake-js'), 'build'],
      'the native addon did not build; the compiler output above says why',
    );
  },

  dist() {
    const sources = newest('src', 'scripts', 'tsconfig.json', 'tsconfig.build.json', 'package.json');
    if (existsSync(dist) && statSync(dist).mtimeMs >= sources) return;
    // An installed package comes with dist and without src.
    if (!existsSync(inRoot('src'))) return;
    say('compiling TypeScript (tsc)');
    run(
      process.execPath,
      [tool('typescript', 'bin/tsc'), '-p', 'tsconfig.build.json'],
      'TypeScript did not compile',
    );
    run(process.execPath, [inRoot('scripts', 'bundle.mjs')], 'what was compiled could not be bundled');
  },

  /** As it is installed, tap compiles every source anew for each test file, whatever .taprc says of that plugin. */
  tests() {
    const built = inRoot('node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js');
    if (existsSync(built) && !readFileSync(built, 'utf8').includes('@tapjs/typescript')) return;
    say('preparing tap (tap build)');
    run(process.execPath, [tool('tap', 'dist/esm/run.mjs'), 'build'], 'tap could not be prepared');
  },
};
/** Of whoever uses critmap. */
const usual = ['dependencies', 'addon', 'dist'];

requireNode();
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : usual) {
  if (!steps[name]) fail(`bootstrap has no step ${name}; it has ${Object.keys(steps).join(', ')}`);
  steps[name]();
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 17)) {
    fail(`critmap needs Node 20.17 or newer, this is ${process.version}; see https://nodejs.org`);
  }
}

/** Names every missing tool at once, with the command that installs it. */
function requireTools() {
  const windows = process.platform === 'win32';
  const compilers = process.env.CXX
    ? [process.env.CXX.trim().split(/\s+/).at(-1)]
    : ['c++', 'g++', 'clang++'];
  const missing = [];
  if (!found('cmake')) missing.push('CMake');
  if (!windows && !compilers.some(found)) missing.push('a C++20 compiler');
  if (!windows && !found('ninja') && !found('make')) missing.push('make or ninja');
  if (missing.length === 0) return;
  const install =
    {
      darwin: 'xcode-select --install; brew install cmake ninja',
      win32: 'winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools',
    }[process.platform] ??
    'Debian, Ubuntu: sudo apt-get install cmake g++ make; Fedora: sudo dnf install cmake gcc-c++ make';
  fail(`the native addon cannot be built: ${missing.join(' and ')} missing. Install with: ${install}`);
}

function found(program) {
  if (program.includes('/') || program.includes('\\')) return existsSync(program);
  const endings = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && endings.some((ending) => existsSync(join(folder, program + ending))));
}

/** Time of the latest change below the given files and folders. */
function newest(...paths) {
  let time = 0;
  for (const path of paths.map((name) => inRoot(name))) {
    if (!existsSync(path)) continue;
    const info = statSync(path);
    if (!info.isDirectory()) time = Math.max(time, info.mtimeMs);
    else
      for (const entry of readdirSync(path, { recursive: true }))
        time = Math.max(time, statSync(join(path, entry)).mtimeMs);
  }
  return time;
}

/** A program of an installed package, wherever npm has put that package. */
function tool(name, program) {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), program);
  } catch {
    return fail(`${name} is not installed; run npm ci in ${root}`);
  }
}

function npm() {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm';
}

function run(command, args, failure) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: command.endsWith('.cmd'),
  });
  if (status !== 0) fail(error ? `${failure} (${error.message})` : failure);
}

function say(text) {
  process.stderr.write(`critmap: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
