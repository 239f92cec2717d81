/** The packages as they are published, installed by npm where there is neither a compiler nor CMake. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const addon = join(root, 'build', 'Release', 'critmap.node');
const cache = join(root, 'build', 'CMakeCache.txt');
const isPortable =
  existsSync(cache) && /^CRITMAP_PORTABLE:BOOL=(ON|TRUE|1)$/m.test(readFileSync(cache, 'utf8'));
const npm = spawnSync('npm', ['root', '-g'], { encoding: 'utf8' });
const npmCli = join(npm.stdout?.trim() ?? '', 'npm', 'bin', 'npm-cli.js');
/** npm's own: the packages that critmap depends on are in it. */
const cacheFolder = () => execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
const skip =
  process.platform !== 'linux'
    ? 'the addon is made portable on Linux only'
    : !isPortable
      ? 'the addon was not built with CRITMAP_PORTABLE=ON'
      : !existsSync(npmCli) && 'npm itself was not found';

t.test(
  'installed from its packages, with no script run, critmap works',
  { skip, timeout: 600_000 },
  async (t) => {
    const cache = cacheFolder();
    // Outside of the tree, whose package.json npm would take for the application's.
    const folder = mkdtempSync(join(tmpdir(), 'critmap-install-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    for (const name of ['packages', 'app', 'bin']) mkdirSync(join(folder, name));
    const packages = join(folder, 'packages');
    execFileSync(process.execPath, [
      join(root, 'scripts', 'package.mjs'),
      '--addon',
      addon,
      '--out',
      packages,
    ]);
    const tarballs = readdirSync(packages).sort();
    t.equal(tarballs.length, 2, 'one without anything compiled, one with the addon');

    // Nothing but Node and a shell can be started.
    const bin = join(folder, 'bin');
    symlinkSync(realpathSync(process.execPath), join(bin, 'node'));
    symlinkSync('/bin/sh', join(bin, 'sh'));
    const env = { PATH: bin, HOME: folder, npm_config_cache: cache };
    const app = join(folder, 'app');
    writeFileSync(join(app, 'package.json'), '{}');
    const node = (...args: string[]) =>
      spawnSync(process.execPath, args, { cwd: app, env, encoding: 'utf8', maxBuffer: 1 << 26 });

    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    const installed = node(npmCli, 'install', ...flags, ...tarballs.map((name) => join(packages, name)));
    t.equal(installed.status, 0, installed.stderr);
    const own = join(app, 'node_modules', 'critmap');
    const manifest = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      t.notOk(manifest.scripts[script], script);
    t.equal(manifest.devDependencies, undefined);
    t.match(readFileSync(join(own, manifest.man[0]), 'utf8'), /^\.TH CRITMAP 1/);
    t.notOk(existsSync(join(own, 'build')), 'nothing was compiled');

    const critmap = join(app, 'node_modules', '.bin', 'critmap');
    const demo = node(critmap, 'demo', '--quiet', '--out', 'demo');
    t.equal(demo.status, 0, demo.stderr);
    t.ok(existsSync(join(app, 'demo', 'report.html')));

    const script = /```js\n(import \{ loadModel[\s\S]*?)```/.exec(
      readFileSync(join(root, 'README.md'), 'utf8'),
    )![1]!;
    writeFileSync(join(app, 'script.mjs'), inThisApp(script));
    const scripted = node('script.mjs');
    t.equal(scripted.status, 0, scripted.stderr);

    rmSync(join(app, 'node_modules', '@critmap'), { recursive: true });
    const without = node(critmap, 'demo', '--quiet', '--out', 'other');
    t.equal(without.status, 1);
    t.match(
      without.stderr,
      /^critmap: The native addon could not be loaded: @critmap\/linux-\w+ \(not installed\)\. Either install it with `npm install @critmap\/[^`]+` .*, or build it with `npm run build:addon` in .*\n$/,
    );

    /** README's paths are of a clone's root, or the reader's own. */
    function inThisApp(text: string): string {
      return text.replaceAll(
        /(['"])(?:\.\/)?(examples\/[^'"]*)\1/g,
        (_, quote, path) => `${quote}${join(own, path)}${quote}`,
      );
    }
  },
);
