/**
 * A small sweep of the shipped model over shipped images, from file to results: in both engines, which must agree. It
 * leaves nothing behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAnyModel } from '../architectures/load-any.js';
import { messageOf } from '../errors.js';
import { openImages } from '../images/index.js';
import { modelInput } from '../model/input.js';
import { sweep } from '../sweep/sweep.js';
import { packageRoot } from '../version.js';
import type { Finding } from './check.js';

const example = (name: string) => join(packageRoot, 'examples', 'fashion', name);

const IMAGES = 16;
/** Of 100; the engines differ in rounding only. */
const TOLERANCE = 0.05;

export async function selfTest(hasAddon: boolean): Promise<Finding> {
  if (!hasAddon) return { state: 'problem', found: 'not possible without the addon' };
  const start = performance.now();
  try {
    const results = await sweeps();
    const seconds = (performance.now() - start) / 1000;
    const worst = Math.max(...results.map(({ fast, reference }) => Math.abs(fast - reference)));
    const facts = { seconds, images: IMAGES, layers: results };
    // A NaN fails too.
    if (results.every(({ fast, reference }) => Math.abs(fast - reference) <= TOLERANCE && fast > 0)) {
      const layers = results.map(({ layer, fast }) => `${layer} ${fast.toFixed(1)} %`).join(', ');
      return { found: `swept ${IMAGES} images in ${seconds.toFixed(1)} s: ${layers}`, facts };
    }
    const found = `the engines differ by ${worst.toFixed(2)} points of 100`;
    return { state: 'problem', found, remedy: 'Please report this page: it is a fault of critmap', facts };
  } catch (error) {
    return {
      state: 'problem',
      found: `a small sweep failed: ${messageOf(error)}`,
      remedy: 'See the findings above; CRITMAP_DEBUG=1 critmap demo shows where it comes from',
      facts: { code: (error as { code?: unknown }).code ?? null },
    };
  }
}

/** Criticality in percent of two layers, as each engine has it. */
async function sweeps() {
  const model = await loadAnyModel(example('resnet.onnx'));
  const layers = [model.layers[0]!.name, model.layers.at(-1)!.name];
  const images = await openImages(example('images.npz'), {
    ...modelInput(model),
    ...{ images: IMAGES, cache: 'off' },
  });
  // With a journal, where there is a place for one: elsewhere that is told of by itself.
  const folder = await mkdtemp(join(tmpdir(), 'critmap-doctor-')).catch(() => null);
  try {
    const options = { layers, trials: 1, imagesPerDraw: 'all', threads: 1 } as const;
    const fast = await sweep(model, images, { ...options, ...(folder && { out: join(folder, 'run') }) });
    const reference = await sweep(model, images, { ...options, engine: 'reference' });
    return fast.summary.layers.map(({ layer, criticality }, i) => ({
      layer,
      fast: criticality.mean ?? Number.NaN,
      reference: reference.summary.layers[i]?.criticality.mean ?? Number.NaN,
    }));
  } finally {
    await images.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}
