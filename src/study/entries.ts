/** From what a study's file says to its sweeps. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { isRemote } from '../fetch/words.js';
import { fileGlob } from '../files/glob.js';
import { isLabelFile } from '../images/labels/option.js';
import { imageOptions } from '../images/options.js';
import type { SweepWords } from '../request/open-sweep.js';
import { sampleOf } from '../request/sample-size.js';
import { withPaths } from '../request/sweep-paths.js';
import { studyFiles } from '../run/study-plan.js';
import { sweepOptions } from '../sweep/options.js';
import { type ModelEntry, type StudyFile, sourceTable } from './schema.js';
import type { Category, Study, StudyImages, StudyModel, StudySweep } from './study.js';

/** Something that is wrong with the file, and where. */
export interface Problem {
  at: readonly PropertyKey[];
  message: string;
  /** The sentence needs no subject. */
  alone?: boolean;
}

const OWN_FILES: readonly string[] = [...Object.values(studyFiles), 'report.html'];

/** What one directory can have, and one process can hold. */
const MOST_SWEEPS = 100_000;

type Choices = Readonly<Record<string, unknown>>;

/** An entry of `models`, with `at` to speak of it. */
interface Placed {
  at: number;
  entry: ModelEntry & { id: string };
}

/** @param path - of the file @param resolve - a path of the file as this process opens it */
export async function entriesOf(
  file: StudyFile,
  path: string,
  resolve: (path: string) => string,
): Promise<{ study: Study; problems: Problem[] }> {
  const problems: Problem[] = [];
  const sets = imageSetsOf(file);
  const placed = (
    await Promise.all(file.models.map((entry, at) => expanded(entry, at, resolve, problems)))
  ).flat();
  const seen = new Set<string>();
  for (const { at, entry } of placed) {
    // Folders of some file systems do not tell them apart.
    const key = entry.id.toLowerCase();
    if (seen.has(key)) problems.push({ at: ['models', at], message: `is a second model called ${entry.id}` });
    seen.add(key);
    if (OWN_FILES.includes(key)) {
      problems.push({
        at: ['models', at],
        message: `cannot be called ${entry.id}, as a file of the study's is`,
      });
    }
  }
  const models = placed.map(({ entry }) => modelOf(entry));
  const sweeps: StudySweep[] = [];
  if (placed.length * sets.length > MOST_SWEEPS) {
    const count = `${placed.length} models on ${sets.length} sets of images`;
    problems.push({ at: ['models'], message: `are ${count}; a study has at most ${MOST_SWEEPS} sweeps` });
    placed.length = 0;
  }
  for (const [i, { at, entry }] of placed.entries()) {
    for (const { images, choices, data } of sets) {
      try {
        const words = await wordsOf(merged(file.defaults ?? {}, choices, entry), entry.id, data, resolve);
        const model = models[i]!;
        sweeps.push({ model, images, place: join(model.id, images.id), words });
      } catch (error) {
        problems.push({ at: ['models', at], message: `(${entry.id}): ${messageOf(error)}` });
        break;
      }
    }
  }
  const baseline = baselineOf(file, models, problems);
  const categories = categoriesOf(file, placed, problems);
  const name = file.name ?? basename(path, extname(path));
  return {
    study: { name, path, baseline, categories, models, images: sets.map(({ images }) => images), sweeps },
    problems,
  };
}

function imageSetsOf({ data }: StudyFile) {
  const entries = typeof data === 'string' ? { images: data } : data;
  return Object.entries(entries).map(([id, entry]) => {
    const { path, name, ...choices } = typeof entry === 'string' ? { path: entry } : { ...entry };
    return { images: { id, name: name ?? id } satisfies StudyImages, data: String(path), choices };
  });
}

/** One model, or one for every match of a glob where the entry has no id. */
async function expanded(
  given: string | ModelEntry,
  at: number,
  resolve: (path: string) => string,
  problems: Problem[],
): Promise<Placed[]> {
  const entry: ModelEntry = typeof given === 'string' ? { model: given } : given;
  if (entry.id !== undefined) return [{ at, entry: { ...entry, id: entry.id } }];
  const { model, weights } = entry;
  const [key, pattern] = model !== undefined ? ['model', model] : ['weights', weights];
  if (typeof pattern !== 'string') {
    problems.push({ at: ['models', at], message: 'has no id' });
    return [];
  }
  const found = await matchesOf(pattern, resolve);
  if (found.length === 0) {
    problems.push({ at: ['models', at], message: `matches no file: ${pattern}` });
  }
  return found.map((path) => ({ at, entry: { ...entry, [key]: path, id: idOf(path) } }));
}

/** A file's name as an id. */
const idOf = (path: string) =>
  (isRemote(path) ? nameIn(path) : basename(path, extname(path)))
    .replace(/[^\p{L}\p{N}_.@+-]/gu, '_')
    .replace(/^[^\p{L}\p{N}_]/u, '_');

/** An address without revision, hash and the ending of a file; a repository's name has dots. */
const nameIn = (address: string) =>
  basename(address.replace(/[#?].*$/, '').replace(/@[^/]*$/, '')).replace(
    /(\.(onnx|pth|pt|ckpt|bin|tar|safetensors))+$/i,
    '',
  );

/** The path itself where it is there or is no glob, else the files of its folder that match, sorted. */
async function matchesOf(pattern: string, resolve: (path: string) => string): Promise<string[]> {
  if (isRemote(pattern) || !/[*?[{]/.test(pattern) || existsSync(resolve(pattern))) return [pattern];
  const folder = dirname(pattern);
  const isMatch = fileGlob(basename(pattern));
  const names = await readdir(resolve(folder)).catch(() => []);
  return names
    .filter(isMatch)
    .sort()
    .map((name) => join(folder, name));
}

function modelOf({ id, name, category, accuracy, attributes }: Placed['entry']): StudyModel {
  return {
    id,
    name: name ?? id,
    category: category ?? null,
    accuracy: accuracy ?? null,
    attributes: attributes ?? {},
  };
}

/** What stands with the model counts more than what stands with the images, that more than the defaults. */
function merged(defaults: Choices, ofImages: Choices, entry: Choices): Choices {
  // A model of its own leaves nothing of the usual one but how its checkpoints are read.
  const hasOwn = entry.model !== undefined || entry.arch !== undefined;
  const usual = Object.entries(defaults).filter(
    ([name]) => !(hasOwn && name in sourceTable && name !== 'rename' && name !== 'allowPartial'),
  );
  return { ...Object.fromEntries(usual), ...ofImages, ...entry };
}

const listOf = (value: unknown) => (typeof value === 'string' ? [value] : (value as readonly string[]));

async function wordsOf(
  choices: Choices,
  id: string,
  data: string,
  resolve: (path: string) => string,
): Promise<SweepWords> {
  const of = (table: object) =>
    Object.fromEntries(
      Object.keys(table).flatMap((name) => (choices[name] === undefined ? [] : [[name, choices[name]]])),
    );
  const { weights: asked, rename, sha256, model, ...source } = of(sourceTable);
  const pins = sha256 === undefined ? [] : listOf(sha256);
  const weights = asked === undefined ? [] : pinned(listOf(asked), pins);
  const files = await Promise.all(
    weights.map(async (pattern) => {
      const found = await matchesOf(pattern, resolve);
      return found.length > 0 ? found : [pattern];
    }),
  );
  const words = {
    ...source,
    ...(model !== undefined && { model: asked === undefined ? pinned([String(model)], pins)[0] : model }),
    name: id,
    ...(files.length > 0 && { weights: files.flat() }),
    ...(rename !== undefined && { rename: listOf(rename) }),
    data,
    imageChoices: { ...of(imageOptions), images: sampleOf(choices) },
    sweepChoices: Object.fromEntries(
      Object.entries(of(sweepOptions)).map(([name, value]) => [
        name,
        name === 'layers' || name === 'exclude' ? listOf(value) : value,
      ]),
    ),
    ...(choices.reset !== undefined && { resets: listOf(choices.reset) }),
    ...(choices.initFrom !== undefined && { initFrom: listOf(choices.initFrom) }),
  } as SweepWords;
  return withPaths(words, { model: resolve, data: resolve, isLabelFile });
}

/** Web addresses with the hash that what is fetched from them must have. @throws CritmapError (ERR_STUDY) */
function pinned(words: readonly string[], pins: readonly string[]): readonly string[] {
  if (pins.length === 0) return words;
  if (pins.length !== words.length || !words.every((word) => /^https?:/i.test(word))) {
    throw new CritmapError(
      'ERR_STUDY',
      `sha256 has ${pins.length} for ${words.length} files; give one for each https: address; a file of the hub is pinned by its commit, hf:OWNER/NAME@COMMIT/FILE`,
    );
  }
  return words.map((address, i) => {
    const [path, ...place] = address.split('#');
    return [path, `sha256=${pins[i]!.toLowerCase()}`, ...place].join('#');
  });
}

function baselineOf(
  { baseline, models: entries }: StudyFile,
  models: readonly StudyModel[],
  problems: Problem[],
): string {
  const known = models.map(({ id }) => id);
  if (baseline === undefined) {
    return models.find(({ category }) => category?.toLowerCase() === 'baseline')?.id ?? known[0] ?? '';
  }
  if (!known.includes(baseline) && entries.length > 0) {
    problems.push({ at: ['baseline'], message: `is the id of no model: ${baseline}` });
  }
  return baseline;
}

function categoriesOf(file: StudyFile, placed: readonly Placed[], problems: Problem[]): Category[] {
  const listed = file.categories?.map((entry) =>
    typeof entry === 'string'
      ? { name: entry, color: null }
      : { name: entry.name, color: entry.color ?? null },
  );
  const used = [...new Set(placed.flatMap(({ entry }) => entry.category ?? []))];
  if (!listed) return used.map((name) => ({ name, color: null }));
  const names = new Set(listed.map(({ name }) => name));
  for (const { at, entry } of placed) {
    if (entry.category !== undefined && !names.has(entry.category)) {
      problems.push({
        at: ['models', at, 'category'],
        message: `is not among the study's categories: ${entry.category}`,
      });
    }
  }
  return listed;
}
