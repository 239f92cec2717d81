import t from 'tap';
import { type AddonPlaces, loadAddon } from '../../src/native/load-addon.js';
import { version } from '../../src/version.js';

/** A machine on which only `there` can be loaded. */
function machine(there: Record<string, unknown>, more: Partial<AddonPlaces> = {}): AddonPlaces {
  const load = (request: string) => {
    if (request in there) return there[request];
    throw Object.assign(new Error(`Cannot find module '${request}'`), { code: 'MODULE_NOT_FOUND' });
  };
  return { root: '/package', platform: 'linux', arch: 'x64', isMusl: () => false, load, ...more };
}

const addonOf = (found: string) => ({ info: () => ({ version: found }) });
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
