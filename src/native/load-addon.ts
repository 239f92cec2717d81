/** Where the addon is: built in this folder, or in a package of its own for this platform. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { packageRoot, version } from '../version.js';
import { interfaceNumber } from './interface.js';

/** Platforms whose addon comes as a package, `@critmap/PLATFORM`; on Linux for glibc. */
const PREBUILT = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'];

/** What is looked at to find the addon. */
export interface AddonPlaces {
  /** The folder of this package. */
  root: string;
  /** Node's `process.platform` and `process.arch`, and whether the C library is another one than glibc. */
  platform: string;
  arch: string;
  isMusl: () => boolean;
  /** Loads a file or a package, as seen from the root. */
  load: (request: string) => unknown;
  /** The file that would be loaded. */
  locate: (request: string) => string;
}

function thisMachine(): AddonPlaces {
  const root = packageRoot;
  const require = createRequire(join(root, 'package.json'));
  return {
    root,
    platform: process.platform,
    arch: process.arch,
    isMusl: () => process.platform === 'linux' && isMusl(),
    load: require,
    locate: require.resolve,
  };
}

/** The report of Node names the version of glibc that it runs with; all else on Linux is musl. */
function isMusl(): boolean {
  // Without it Node asks the kernel for the machine's network interfaces, and looks up names.
  const report = process.report as { excludeNetwork?: boolean; getReport(): object };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before ?? false;
  return header.glibcVersionRuntime === undefined;
}

/** There is no addon that can be used: what is wrong, and what to do. */
export class AddonError extends CritmapError {
  constructor(
    readonly fault: string,
    readonly remedy: string,
  ) {
    super('ERR_NATIVE', `${fault} ${remedy}`);
  }
}

/** An addon that fits these sources, and where it was. */
export interface FoundAddon {
  addon: unknown;
  file: string;
  /** Named by `CRITMAP_ADDON`, built in this folder, or of the package for this platform. */
  from: 'CRITMAP_ADDON' | 'build' | 'package';
}

/** The addon, as {@link findAddon} finds it. */
export const loadAddon = (places?: AddonPlaces): unknown => findAddon(places).addon;

/**
 * The addon: the file that the environment variable `CRITMAP_ADDON` names, else what was built in this folder, else the
 * package for this platform. Whoever built one wants it, say with CUDA for a new card: where it was built from other
 * sources no other is taken in its place.
 *
 * @throws AddonError that lists what was tried and what to do
 */
export function findAddon(places: AddonPlaces = thisMachine()): FoundAddon {
  const { root, load } = places;
  const override = process.env.CRITMAP_ADDON;
  const failures: string[] = [];
  const files = override
    ? [resolve(override)]
    : ['Release', 'Debug'].map((kind) => join(root, 'build', kind, 'critmap.node'));
  for (const file of files) {
    let addon: unknown;
    try {
      // All else Node would run as JavaScript.
      if (override && existsSync(file) && !file.endsWith('.node')) {
        throw new Error('no addon: its name does not end with .node');
      }
      addon = load(file);
    } catch (error) {
      // One that was never built is no news, unless it was asked for.
      if (override || existsSync(file))
        failures.push(`${file} (${existsSync(file) ? messageOf(error) : 'not there'})`);
      continue;
    }
    refuseOther(addon, file, root, override);
    return { addon, file, from: override ? 'CRITMAP_ADDON' : 'build' };
  }
  const advice = override
    ? 'Unset CRITMAP_ADDON or let it name a critmap.node built for this Node.js and processor.'
    : '';
  if (!override) {
    const found = fromPackage(places);
    if ('addon' in found) return found;
    failures.push(found.failure);
  }
  throw new AddonError(
    `The native addon could not be loaded: ${failures.join('; ')}.`,
    advice || waysOut(places),
  );
}

/** @throws AddonError when an addon has another surface than these sources call */
function refuseOther(addon: unknown, file: string, root: string, override: string | undefined): void {
  if (infoOf(addon).interface === interfaceNumber) return;
  throw new AddonError(
    `The native addon ${file} was built from other sources than these of critmap ${version}.`,
    `Run \`npm run build:addon\` in ${root}${override ? ', or unset CRITMAP_ADDON' : ''}.`,
  );
}

/** Of any file that Node loads: an addon of before, or of something else, need not have all of it. */
function infoOf(addon: unknown): { version?: unknown; interface?: unknown } {
  const { info } = (addon ?? {}) as { info?: unknown };
  const found: unknown = typeof info === 'function' ? info() : undefined;
  return (found ?? {}) as object;
}

const platformOf = ({ platform, arch }: AddonPlaces) => `${platform}-${arch}`;
const isPrebuilt = (places: AddonPlaces) => PREBUILT.includes(platformOf(places)) && !places.isMusl();

function fromPackage(places: AddonPlaces): FoundAddon | { failure: string } {
  const name = `@critmap/${platformOf(places)}`;
  if (!isPrebuilt(places)) {
    return {
      failure: `there is no prebuilt one for ${platformOf(places)}${places.isMusl() ? ' with musl' : ''}`,
    };
  }
  try {
    const addon = places.load(name);
    const { version: found, interface: number } = infoOf(addon);
    if (found !== version)
      return { failure: `${name} is of version ${found}, and this is critmap ${version}` };
    if (number !== interfaceNumber) return { failure: `${name} was built from other sources` };
    return { addon, file: places.locate(name), from: 'package' };
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    return { failure: `${name} (${isMissing ? 'not installed' : messageOf(error)})` };
  }
}

function waysOut(places: AddonPlaces): string {
  const { root } = places;
  const build = `build it with \`npm run build:addon\` in ${root}, which needs CMake and a C++20 compiler`;
  return isPrebuilt(places)
    ? `Either install it with \`npm install @critmap/${platformOf(places)}@${version}\` (npm leaves it out with --omit=optional), or ${build}.`
    : `Either use one of ${PREBUILT.join(', ')} (Linux with glibc 2.28 or newer), or ${build}.`;
}
