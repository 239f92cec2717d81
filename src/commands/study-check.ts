/** What `critmap study --check` says: what is there, what is missing, what it will cost. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { CritmapError, messageOf, some } from '../errors.js';
import { nameOfWord, parseRemote } from '../fetch/words.js';
import { fileGlob } from '../files/glob.js';
import { type ImageOptions, openImages } from '../images/index.js';
import { modelInput } from '../model/input.js';
import { openWeights } from '../request/open-sweep.js';
import { addressesIn, withPaths } from '../request/sweep-paths.js';
import { costsOfSweeps, networkFor } from '../study/costs.js';
import type { Study, StudySweep } from '../study/study.js';
import { textTable } from './text-table.js';

const NOTHING_FETCHED = { offline: true };
const MISSING = 'missing: ';
const BROKEN = 'cannot be opened: ';

export interface Check {
  lines: string[];
  /** What the study needs and is not there, or cannot be used; one sentence each. */
  missing: string[];
  /** Sweeps that would fail for what they are asked for; one sentence for each reason. */
  refused: string[];
}

export async function checkOf(study: Study): Promise<Check> {
  const counts = new Map<string, number>();
  const missing: string[] = [];
  const sets: string[][] = [];
  for (const { id } of study.images) {
    const sweeps = study.sweeps.filter(({ images }) => images.id === id);
    const [{ words }] = sweeps as [StudySweep];
    const { images = 'all' } = words.imageChoices;
    const sample = `${images === 'all' ? 'all' : images.toLocaleString('en')} images`;
    const { total, problems } = await imagesIn(sweeps);
    if (total !== null) counts.set(id, total);
    for (const problem of problems) missing.push(`${id}: ${problem}`);
    const there = total === null ? [] : [`${total.toLocaleString('en')} there`];
    const state = [...there, ...problems.slice(0, 1)];
    if (problems.length > 1) state.push(`and ${problems.length - 1} more such`);
    if (state.length === 0) state.push('not looked at, since no model can be opened');
    sets.push([id, words.data, sample, state.join('; ')]);
  }
  const costs = await costsOfSweeps(study.sweeps, counts, NOTHING_FETCHED);
  const rows: string[][] = [];
  // One after the other: each is in memory with its checkpoints and donors.
  for (const { id, category } of study.models) {
    const sweeps = study.sweeps.filter(({ model }) => model.id === id);
    const found = costs[study.sweeps.indexOf(sweeps[0]!)];
    const cost = found instanceof CritmapError ? null : found;
    rows.push([
      id,
      category ?? '',
      sweeps[0]!.words.arch ?? '',
      cost ? `${cost.layers}` : '?',
      cost ? `${gigas(cost.macsPerImage)}` : '?',
      await stateOf(sweeps),
    ]);
  }
  const known = costs.flatMap((cost) => (cost === null || cost instanceof CritmapError ? [] : [cost]));
  const counted = known.filter(({ images }) => images !== null);
  const passes = counted.reduce((sum, cost) => sum + (cost.passes ?? 0), 0);
  const macs = counted.reduce((sum, cost) => sum + cost.macsPerImage * (cost.images ?? 0), 0);
  const isAll = counted.length === study.sweeps.length;
  const lacking = rows.filter((row) => row.at(-1)!.startsWith(MISSING) || row.at(-1)!.startsWith(BROKEN));
  missing.unshift(...lacking.map((row) => `${row[0]}: ${row.at(-1)}`));
  const refused = refusedOf(study, costs);
  const lines = [
    `${study.name}: ${study.models.length} models, ${study.images.length} ${study.images.length === 1 ? 'set' : 'sets'} of images, ${study.sweeps.length} sweeps`,
    '',
    ...textTable(['images', 'from', 'sample', ''], sets),
    '',
    ...textTable(['model', 'category', 'architecture', 'layers', 'GMACs an image', ''], rows),
    '',
    `${isAll ? 'at most' : `of ${counted.length} sweeps at most`} ${passes.toLocaleString('en')} passes, ${gigas(macs)} GMACs before layers share what they can`,
    ...(lacking.length > 0
      ? [`${lacking.length} of ${rows.length} models lack files, or have some that cannot be opened`]
      : []),
    ...refused,
  ];
  return { lines, missing, refused };
}

/** Each reason with the models that have it, and the images where it is not those of all. */
function refusedOf({ sweeps }: Study, costs: Awaited<ReturnType<typeof costsOfSweeps>>): string[] {
  const found = new Map<string, Map<string, string[]>>();
  for (const [i, cost] of costs.entries()) {
    if (!(cost instanceof CritmapError)) continue;
    const { model, images } = sweeps[i]!;
    const models = found.get(cost.message) ?? new Map<string, string[]>();
    models.set(model.id, [...(models.get(model.id) ?? []), images.id]);
    found.set(cost.message, models);
  }
  return [...found].map(([why, models]) => {
    const names = [...models].map(([id, images]) =>
      sweeps.filter(({ model }) => model.id === id).length === images.length
        ? id
        : `${id} on ${some(images, 3)}`,
    );
    return `${some(names, 5)}: ${why}`;
  });
}

/** How many images there are, and what is wrong with them for the models: those that take them alike are asked once. */
async function imagesIn(sweeps: readonly StudySweep[]) {
  const seen = new Map<string, Promise<number | string>>();
  const problems = new Set<string>();
  let total: number | null = null;
  for (const sweep of sweeps) {
    const network = await networkFor(sweep, NOTHING_FETCHED).catch(() => null);
    // What a model lacks is told of the model.
    if (!network) continue;
    const { labels, labelColumns, crop, resize } = sweep.words.imageChoices;
    const choices = Object.entries({ labels, labelColumns, resize }).filter(
      ([, value]) => value !== undefined,
    );
    const { shape, ...input } = modelInput(network, crop);
    const key = JSON.stringify([sweep.words.data, shape, choices]);
    let found = seen.get(key);
    if (!found) {
      found = countOf(sweep.words.data, { ...input, shape, ...Object.fromEntries(choices), images: 1 });
      seen.set(key, found);
    }
    const count = await found;
    if (typeof count === 'number') total ??= count;
    else problems.add(sweeps.length > 1 && total !== null ? `${sweep.model.id}: ${count}` : count);
  }
  return { total, problems: [...problems] };
}

async function countOf(source: string, options: ImageOptions): Promise<number | string> {
  try {
    const images = await openImages(source, options);
    await images.close();
    return images.total;
  } catch (error) {
    return messageOf(error);
  }
}

/** Whether a model is there, with all that its sweeps take weights from. */
async function stateOf(sweeps: readonly StudySweep[]): Promise<string> {
  const all = await Promise.all(sweeps.map(filesOf));
  const missing = [...new Set(all.flatMap((files) => files.missing))];
  const remote = [...new Set(all.flatMap((files) => files.remote))];
  if (missing.length > 0) return `${MISSING}${missing.join(', ')}`;
  if (remote.length > 0) return `to be fetched, unless it is there: ${remote.join(', ')}`;
  return (await whyNot(sweeps)) ?? 'there';
}

/** What keeps a model from being opened with all that it is swept with: its checkpoints, donors and fresh models. */
async function whyNot(sweeps: readonly StudySweep[]): Promise<string | null> {
  const seen = new Set<string>();
  for (const { words } of sweeps) {
    const { data: _, imageChoices: __, sweepChoices: ___, ...asked } = words;
    const key = JSON.stringify(asked);
    if (seen.has(key)) continue;
    seen.add(key);
    try {
      await openWeights(words, NOTHING_FETCHED);
    } catch (error) {
      return `${BROKEN}${messageOf(error)}`;
    }
  }
  return null;
}

/** What of a sweep's model is not there. */
async function filesOf({ words }: StudySweep) {
  const paths: string[] = [];
  const note = (path: string) => {
    paths.push(path);
    return path;
  };
  withPaths(words, { model: note, data: (path) => path });
  const remote = addressesIn(words).map((address) => nameOfWord(parseRemote(address)));
  const isThere = await Promise.all(paths.map(exists));
  return { remote, missing: paths.filter((_, i) => !isThere[i]) };
}

/** A file or folder, one of its sets of weights, or what a glob matches. */
async function exists(path: string): Promise<boolean> {
  const isFound = (one: string) =>
    stat(one).then(
      () => true,
      () => false,
    );
  if ((await isFound(path)) || (await isFound(path.replace(/#[^#/]*$/, '')))) return true;
  const names = await readdir(dirname(path)).catch(() => []);
  return names.some(fileGlob(basename(path)));
}

const gigas = (macs: number) => (macs / 1e9).toLocaleString('en', { maximumFractionDigits: 1 });
