/** What computes: the addon, its code path, ONNX Runtime with its providers, and cards. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { foundAddon, native } from '../native/addon.js';
import { AddonError } from '../native/load-addon.js';
import { onnxruntimeLibrary } from '../native/onnxruntime-library.js';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { nativeEngine } from '../native/open-engine.js';
import { onnxruntimeVersion, version } from '../version.js';
import type { Finding } from './check.js';

const PLACES = {
  CRITMAP_ADDON: 'named by CRITMAP_ADDON',
  build: 'built here',
  package: 'from its package',
} as const;

/** Whether there is an addon to ask. */
export function hasAddon(): boolean {
  try {
    native();
    return true;
  } catch {
    return false;
  }
}

export function addon(): Finding {
  try {
    const { file, from } = foundAddon();
    const { version: built, jpeg, interface: number } = native().info();
    const facts = { file, from, version: built, interface: number, jpeg };
    const found = `${built}, ${PLACES[from]}: ${file}`;
    if (built !== version) {
      const remedy = 'Build it anew: npm run build:addon';
      return { state: 'note', found: `${found}; these sources are ${version}`, remedy, facts };
    }
    if (jpeg === null) {
      const remedy =
        "Install libjpeg-turbo's headers (Debian: libjpeg-dev) and build again: npm run build:addon";
      return { state: 'note', found: `${found}; JPEG files are decoded more slowly`, remedy, facts };
    }
    return { found, facts };
  } catch (error) {
    if (!(error instanceof AddonError)) throw error;
    return { state: 'problem', found: error.fault, remedy: error.remedy, facts: { code: error.code } };
  }
}

export function codePath(): Finding {
  if (!hasAddon()) return { state: 'note', found: 'not known without the addon' };
  const { path, paths } = native().info();
  const facts = { path, paths };
  if (path === 'baseline' && process.arch === 'x64') {
    const remedy = 'Resets and metrics are slower here; a processor with AVX2 has them in vectors.';
    return { state: 'note', found: 'baseline: no AVX2', remedy, facts };
  }
  return { found: `${path}${paths.length > 1 ? ` (can run ${paths.join(', ')})` : ''}`, facts };
}

/** What is found of ONNX Runtime, or what to do where there is none. */
export function ofRuntime(look: () => Finding): Finding {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof CritmapError)) throw error;
    const remedy = process.env.CRITMAP_ONNXRUNTIME
      ? "Unset CRITMAP_ONNXRUNTIME, or let it name ONNX Runtime's library or its folder"
      : 'Install it again: npm install onnxruntime-node; or let CRITMAP_ONNXRUNTIME name the library';
    return { state: 'problem', found: error.message, remedy, facts: { code: error.code } };
  }
}

export function onnxruntime(): Finding {
  const library = onnxruntimeLibrary();
  const package_ = onnxruntimeVersion();
  if (!hasAddon()) {
    const found = `${package_} (package), not tried without the addon: ${library}`;
    return { state: 'note', found, facts: { package: package_, library } };
  }
  const { onnxruntime: loaded, library: file } = loadedRuntime(library);
  const named = process.env.CRITMAP_ONNXRUNTIME ? ', named by CRITMAP_ONNXRUNTIME' : '';
  return {
    found: `${loaded}${named}: ${file}`,
    facts: { version: loaded, package: package_, library: file },
  };
}

function loadedRuntime(library: string) {
  const engine = nativeEngine.open({ library, threads: 1 });
  const stats = engine.stats();
  engine.close().catch(() => {});
  return stats;
}

/** The provider's file beside ONNX Runtime's. */
const hasCudaProvider = (library: string) =>
  readdirSync(dirname(library)).some((name) => /onnxruntime_providers_cuda\.(so|dll)/.test(name));

export function providers(): Finding {
  const hasCuda = hasCudaProvider(onnxruntimeLibrary());
  const facts = { cuda: hasCuda };
  const found = `CPU${hasCuda ? ', CUDA' : '; no CUDA (needed only for sweeps on a card)'}`;
  if (!hasAddon()) return { found, facts };
  // What the reference engine computes with.
  const bundled = onnxruntimeNode()
    .listSupportedBackends()
    .filter((one) => one.bundled)
    .map(({ name }) => name);
  return { found, facts: { ...facts, bundled } };
}

export function cards(): Finding {
  const driver = nvidiaDriver();
  if (!hasAddon()) return { state: 'note', found: 'not looked for without the addon', facts: { driver } };
  const found = native().cuda();
  const facts = { ...found, kernelDriver: driver };
  if (found.devices.length > 0) {
    const names = found.devices.map(
      ({ name, memoryBytes, computeCapability }, i) =>
        `cuda:${i} ${name}, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB, compute capability ${computeCapability}`,
    );
    const said = `${names.join('; ')}; driver for CUDA ${found.driver}, built with CUDA ${found.runtime}`;
    const library = onnxruntimeLibrary();
    if (!hasCudaProvider(library)) return { state: 'note', found: said, remedy: PROVIDER, facts };
    const why = whyNotOpened(library);
    if (why === null) return { found: said, facts };
    return { state: 'note', found: `${said}; it cannot be used`, remedy: `Mend this: ${why}`, facts };
  }
  const why = found.reason ?? 'none was found';
  if (driver === null) return { found: `none (${why}); sweeps compute on the processor`, facts };
  const remedy = found.compiled
    ? 'Let nvidia-smi list the card; in a container, give it the card (docker run --gpus all).'
    : 'To use the card, install the CUDA toolkit and build again: npm run build:addon (docs/gpu.md)';
  return { state: 'note', found: `NVIDIA's driver ${driver} is there, and no card: ${why}`, remedy, facts };
}

const PROVIDER =
  "To use the card, get ONNX Runtime's CUDA provider: npm run setup:cuda (since 1.27 it is for CUDA 13, though the installer calls it cuda12), or let CRITMAP_ONNXRUNTIME name the folder of one (docs/gpu.md)";

/** What a sweep on the first card would end with before it begins: its libraries do not load, say. */
function whyNotOpened(library: string): string | null {
  try {
    const engine = nativeEngine.open({ library, threads: 1, cards: [0] });
    engine.close().catch(() => {});
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** The version of the kernel's module, on Linux. */
function nvidiaDriver(): string | null {
  const place = '/sys/module/nvidia/version';
  if (!existsSync(place)) return null;
  try {
    return readFileSync(place, 'utf8').trim();
  } catch (error) {
    return messageOf(error);
  }
}
