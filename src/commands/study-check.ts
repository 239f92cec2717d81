/** What `critmap study --check` says: what is there, what is missing, what it will cost. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf } from '../errors.js';
import { nameOfWord, parseRemote } from '../fetch/words.js';
import { fileGlob } from '../files/glob.js';
import { openImages } from '../images/index.js';
import { modelInput } from '../model/input.js';
import { addressesIn, withPaths } from '../request/sweep-paths.js';
import { costsOfSweeps, networkFor } from '../study/costs.js';
import type { Study, StudySweep } from '../study/study.js';
import { textTable } from './text-table.js';

const NOTHING_FETCHED = { offline: true };

export async function checkText(study: Study): Promise<string[]> {
  const counts = new Map<string, number>();
  const sets = await Promise.all(
    study.images.map(async ({ id }) => {
      const sweep = study.sweeps.find(({ images }) => images.id === id)!;
      const { images = 'all' } = sweep.words.imageChoices;
      const sample = `${images === 'all' ? 'all' : images.toLocaleString('en')} images`;
      const found = await imagesIn(sweep);
      if (typeof found === 'number') counts.set(id, found);
      const state = typeof found === 'number' ? `${found.toLocaleString('en')} there` : found;
      return [id, sweep.words.data, sample, state];
    }),
  );
  const costs = await costsOfSweeps(study.sweeps, counts, NOTHING_FETCHED);
  const ofModel = study.models.map(({ id }) => study.sweeps.findIndex(({ model }) => model.id === id));
  const rows = await Promise.all(
    ofModel.map(async (at) => {
      const { model, words } = study.sweeps[at]!;
      const cost = costs[at];
      const { missing, remote } = await filesOf(study.sweeps[at]!);
      const state =
        missing.length > 0
          ? `missing: ${missing.join(', ')}`
          : remote.length > 0
            ? `to be fetched, unless it is there: ${remote.join(', ')}`
            : 'there';
      return [
        model.id,
        model.category ?? '',
        words.arch ?? '',
        cost ? `${cost.layers}` : '?',
        cost ? `${gigas(cost.macsPerImage)}` : '?',
        state,
      ];
    }),
  );
  const known = costs.filter((cost) => cost !== null);
  const counted = known.filter(({ images }) => images !== null);
  const passes = counted.reduce((sum, cost) => sum + (cost.passes ?? 0), 0);
  const macs = counted.reduce((sum, cost) => sum + cost.macsPerImage * (cost.images ?? 0), 0);
  const isAll = counted.length === study.sweeps.length;
  const lacking = rows.filter((row) => row.at(-1)!.startsWith('missing')).length;
  return [
    `${study.name}: ${study.models.length} models, ${study.images.length} ${study.images.length === 1 ? 'set' : 'sets'} of images, ${study.sweeps.length} sweeps`,
    '',
    ...textTable(['images', 'from', 'sample', ''], sets),
    '',
    ...textTable(['model', 'category', 'architecture', 'layers', 'GMACs an image', ''], rows),
    '',
    `${isAll ? 'at most' : `of ${counted.length} sweeps at most`} ${passes.toLocaleString('en')} passes, ${gigas(macs)} GMACs before layers share what they can`,
    ...(lacking > 0 ? [`${lacking} of ${rows.length} models are missing files`] : []),
  ];
}

/** How many images there are, or what is wrong with them. */
async function imagesIn(sweep: StudySweep): Promise<number | string> {
  const network = await networkFor(sweep, NOTHING_FETCHED).catch(() => null);
  if (!network) return `not looked at, since ${sweep.model.id} cannot be opened`;
  const { labels, labelColumns, crop, resize } = sweep.words.imageChoices;
  const choices = Object.entries({ labels, labelColumns, resize }).filter(([, value]) => value !== undefined);
  try {
    const images = await openImages(sweep.words.data, {
      ...modelInput(network, crop),
      ...Object.fromEntries(choices),
      images: 1,
    });
    await images.close();
    return images.total;
  } catch (error) {
    return messageOf(error);
  }
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
