/** A verification as a command does it: the run's own model and images are opened again, differences are printed. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../architectures/build.js';
import { openImages } from '../images/index.js';
import { usableThreads } from '../machine.js';
import { modelInput } from '../model/input.js';
import { loadModel, withWeights } from '../model/load.js';
import type { LoadedWeights, Model } from '../model/model.js';
import { loadFresh } from '../resets/fresh.js';
import { parseResets } from '../resets/parse.js';
import { files, type RunInfo, readInfo } from '../run/run.js';
import { type Verification, verifyRun } from '../sweep/verify.js';
import { interruptible } from './interrupt.js';

export interface VerifyJob {
  run: string;
  cells: number;
  seed: number;
  threads?: number | undefined;
  model?: string | undefined;
  data?: string | undefined;
  labels?: string | undefined;
  labelColumns?: readonly string[] | undefined;
  json: boolean;
}

/** @returns whether the run holds */
export async function verify({
  run,
  cells,
  seed,
  threads,
  model: path,
  data,
  labels,
  labelColumns,
  json,
}: VerifyJob): Promise<boolean> {
  const info = await readInfo(run);
  // Images that have labels by themselves had none in a sweep with --labels none.
  const labelSource = labels ?? (info.data.parts?.labels === null ? 'none' : undefined);
  const verification = await interruptible(async (signal) => {
    const model = await modelOf(info, path);
    const words = info.options.reset as string[];
    const ends = { input: model.io.input, output: model.io.output };
    const resets = await parseResets(words, model, ends);
    const leftOut = info.sample?.skipped.length ?? 0;
    const freshPaths = info.environment.initFrom as string[] | undefined;
    const initFrom = freshPaths && (await loadFresh(freshPaths, model, ends));
    const images = await openImages(data ?? info.data.source, {
      ...modelInput(model),
      ...transformOf(info),
      // Drawn before the bad ones among them were left out.
      images: info.data.images + leftOut,
      dataSeed: info.sample?.seed ?? 0,
      ...(labelSource !== undefined && { labels: labelSource }),
      ...(labelColumns !== undefined && { labelColumns }),
      skipBadImages: leftOut > 0,
      signal,
    });
    try {
      const recorded = { info, journal: join(run, files.journal) };
      const options = { cells, seed, threads: threads ?? usableThreads(), initFrom, signal };
      return await verifyRun(recorded, model, images, resets, options);
    } finally {
      await images.close();
    }
  });
  process.stdout.write(json ? `${JSON.stringify(verification)}\n` : `${textOf(verification, run)}\n`);
  return verification.isSame;
}

async function modelOf({ environment, options }: RunInfo, path: string | undefined): Promise<Model> {
  const recorded = String(environment.model);
  const { input, output } = options as { input?: string; output?: string };
  const [, architecture] = /^built-in (.+)$/.exec(recorded) ?? [];
  const model = architecture
    ? await buildModel(architecture, environment.asked as object | undefined)
    : await loadModel(path ?? there(recorded, environment.modelSource), { input, output } as object);
  const files = (environment.weights as LoadedWeights['files'] | undefined) ?? [];
  if (files.length === 0) return model;
  const weights = files.map(({ path, source, chosen }) => {
    const file = there(path, source);
    return chosen === undefined ? file : `${file}#${chosen}`;
  });
  return withWeights(model, weights, { allowPartial: true, rename: files[0]?.renames ?? [] });
}

/** What was fetched and is there no more is fetched again. */
const there = (path: string, source: unknown) =>
  typeof source === 'string' && !existsSync(path) ? source : path;

/** As the run recorded it, so that no default decides. */
function transformOf({ data: { transform } }: RunInfo) {
  const { kind, resize, interpolation, mean, std, squash } = transform as Record<string, unknown>;
  if (kind !== 'pixels') return {};
  if (squash) return { mean, std, resizing: { resize, interpolation, squash } } as object;
  return { mean, std, ...(resize !== null && { resize, interpolation }) } as object;
}

function textOf({ draws, largest, isSame }: Verification, run: string): string {
  const rows = Object.entries(largest).map(
    ([name, value]) => `  ${name.padEnd(24)}${value.toExponential(1)}`,
  );
  const other = draws.filter((draw) => !draw.isSame);
  const flips = draws.reduce((sum, { agreement }) => sum + agreement, 0);
  return [
    `${draws.length} draws of ${run} on the reference path; largest difference of a mean:`,
    ...rows,
    `  ${'agreement'.padEnd(24)}${flips} of ${draws.reduce((sum, { images }) => sum + images, 0)} images`,
    isSame
      ? 'They are the same.'
      : `${other.length} differ: ${other
          .slice(0, 5)
          .map(({ layer, draw }) => `${layer} draw ${draw}`)
          .join(', ')}`,
  ].join('\n');
}
