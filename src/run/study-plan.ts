/** The files of a study's directory besides its runs, and what the study is of: what is needed to read it without its YAML. */
import { join } from 'node:path';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';

export const studyFiles = {
  /** What the study is of, without what its sweeps came to. */
  plan: 'study-plan.json',
  results: 'study.json',
  table: 'study.csv',
  parquet: 'study.parquet',
  /** Of who writes to it. */
  lock: 'lock',
} as const;

/** Of models and sets of images: they are folders. */
export const PLACE_NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.@+-]*$/u;

const model = z.object({
  id: z.string().regex(PLACE_NAME),
  name: z.string(),
  category: z.string().nullable(),
  accuracy: z.number().nullable(),
  attributes: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])),
});

export type PlannedModel = z.infer<typeof model>;

const images = z.object({ id: z.string().regex(PLACE_NAME), name: z.string() });

/** Two of one id would be read again and again. */
const areApart = (entries: readonly { id: string }[]) =>
  new Set(entries.map(({ id }) => id)).size === entries.length;

export const studyPlan = z.object({
  version: z.literal(1),
  critmap: z.string(),
  name: z.string(),
  baseline: z.string(),
  categories: z.array(z.object({ name: z.string(), color: z.string().nullable() })),
  models: z.array(model).refine(areApart),
  images: z.array(images).refine(areApart),
  /** Which part of the study the directory was asked for; null for all of it. */
  shard: z.object({ index: z.int().min(1), of: z.int().min(1) }).nullable(),
  /** By `MODEL/IMAGES`, a hash of what is asked of the sweep: runs of other options do not count. */
  asked: z.record(z.string(), z.string()),
  /** Places of what is computed here: `MODEL/IMAGES`, or a part of that. */
  tasks: z.array(z.string()),
  /** The words after `critmap` that began the study, where there were some. */
  command: z.array(z.string()).nullable(),
});
export type StudyPlan = z.infer<typeof studyPlan>;

/** @throws CritmapError (ERR_STUDY) when the directory is none of a study, or the file is damaged */
export async function readPlan(directory: string): Promise<StudyPlan> {
  const path = join(directory, studyFiles.plan);
  let text: string;
  try {
    text = (await readRegular(path)).toString('utf8');
  } catch (error) {
    throw new CritmapError('ERR_STUDY', `${path} ${fileProblem(error).join('; ')}`, { cause: error });
  }
  const checked = studyPlan.safeParse(parsed(text));
  if (checked.success) return checked.data;
  throw new CritmapError('ERR_STUDY', `${path} is damaged, or of another version of critmap`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
