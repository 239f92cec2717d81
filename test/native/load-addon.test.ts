import { fileURLToPath } from 'node:url';
import t from 'tap';
import { interfaceNumber } from '../../src/native/interface.js';
import { type AddonPlaces, findAddon, loadAddon } from '../../src/native/load-addon.js';
import { version } from '../../src/version.js';

/** A machine on which only `there` can be loaded. */
function machine(there: Record<string, unknown>, more: Partial<AddonPlaces> = {}): AddonPlaces {
  const load = (request: string) => {
    if (request in there) return there[request];
    throw Object.assign(new Error(`Cannot find module '${request}'`), { code: 'MODULE_NOT_FOUND' });
  };
  return {
    root: '/package',
    platform: 'linux',
    arch: 'x64',
    isMusl: () => false,
    load,
    locate: String,
    ...more,
  };
}

const addonOf = (found: string, number: unknown = interfaceNumber) => ({
  info: () => ({ version: found, interface: number }),
});
const message = (places: AddonPlaces): string => {
  try {
    loadAddon(places);
  } catch (error) {
    t.match(error, { name: 'CritmapError', code: 'ERR_NATIVE' });
    return (error as Error).message;
  }
  return 'loaded';
};

t.before(() => {
  delete process.env.CRITMAP_ADDON;
});

t.test('what was built here comes before the package for the platform', async (t) => {
  const prebuilt = addonOf(version);
  const own = addonOf('any');
  t.equal(loadAddon(machine({ '@critmap/linux-x64': prebuilt })), prebuilt);
  t.equal(
    loadAddon(machine({ '@critmap/linux-x64': prebuilt, '/package/build/Release/critmap.node': own })),
    own,
  );
});

t.test('without either, one message names both ways out', async (t) => {
  t.equal(
    message(machine({})),
    `The native addon could not be loaded: @critmap/linux-x64 (not installed). Either install it with \`npm install @critmap/linux-x64@${version}\` (npm leaves it out with --omit=optional), or build it with \`npm run build:addon\` in /package, which needs CMake and a C++20 compiler.`,
  );
});

t.test('a package of another version is not taken', async (t) => {
  t.match(
    message(machine({ '@critmap/linux-x64': addonOf('0.0.9') })),
    `@critmap/linux-x64 is of version 0.0.9, and this is critmap ${version}.`,
  );
});

t.test('platforms without a package are told which have one', async (t) => {
  for (const [more, said] of [
    [{ platform: 'freebsd' }, 'there is no prebuilt one for freebsd-x64. Either use one of linux-x64, '],
    [{ isMusl: () => true }, 'there is no prebuilt one for linux-x64 with musl. Either use'],
  ] as const) {
    const text = message(machine({ '@critmap/linux-x64': addonOf(version) }, more));
    t.ok(text.includes(said), text);
    t.match(text, /npm run build:addon/);
  }
});

t.test('an addon that was built from other sources is not used, nor another in its place', async (t) => {
  const own = '/package/build/Release/critmap.node';
  const told = `The native addon ${own} was built from other sources than these of critmap ${version}. Run \`npm run build:addon\` in /package.`;
  for (const [what, old] of [
    ['of another number', addonOf(version, interfaceNumber + 1)],
    ['from before there were numbers', { info: () => ({ version }) }],
    ['that is another addon', { hello: 1 }],
  ] as const) {
    t.equal(message(machine({ [own]: old, '@critmap/linux-x64': addonOf(version) })), told, what);
  }
  t.match(
    message(machine({ '@critmap/linux-x64': addonOf(version, 0) })),
    '@critmap/linux-x64 was built from other sources. Either install it with',
  );
  process.env.CRITMAP_ADDON = '/elsewhere/critmap.node';
  t.teardown(() => delete process.env.CRITMAP_ADDON);
  t.match(
    message(machine({ '/elsewhere/critmap.node': addonOf(version, 0), [own]: addonOf(version) })),
    /^The native addon \/elsewhere\/critmap\.node was built .* in \/package, or unset CRITMAP_ADDON\.$/,
  );
});

t.test('another file than an addon is refused before Node could run it', async (t) => {
  const file = fileURLToPath(import.meta.url);
  process.env.CRITMAP_ADDON = file;
  t.teardown(() => delete process.env.CRITMAP_ADDON);
  const load = () => t.fail('loaded');
  t.match(
    message(machine({}, { load })),
    `${file} (no addon: its name does not end with .node). Unset CRITMAP_ADDON or let it name`,
  );
});

t.test('it is told where the addon was', async (t) => {
  const there = { '@critmap/linux-x64': addonOf(version) };
  t.match(findAddon(machine(there)), { from: 'package', file: '@critmap/linux-x64' });
  const own = '/package/build/Debug/critmap.node';
  t.match(findAddon(machine({ ...there, [own]: addonOf(version) })), { from: 'build', file: own });
});
