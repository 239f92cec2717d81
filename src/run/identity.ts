/** What decides the numbers of a run, where two of them differ, and the seal that a journal's lines carry of it. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { some } from '../errors.js';

export const identity = z.object({
  model: z.object({ name: z.string(), sha256: z.string(), layers: z.number() }),
  data: z.object({
    source: z.string(),
    images: z.number(),
    fingerprint: z.string(),
    transform: z.unknown(),
    /** SHA-256 of what the fingerprint is made of, so that it can be said what has changed; labels are null without any. */
    parts: z.object({ images: z.string(), labels: z.string().nullable() }).optional(),
  }),
  options: z.record(z.string(), z.unknown()),
});
/** What decides the numbers of a run: a run continues only when all of it is the same. */
export type RunIdentity = z.infer<typeof identity>;

/** As it is read back from a file. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value ?? null)) as unknown;

/** How two runs differ, in words; empty when their numbers are the same. Names and places of files may differ. */
export function differencesOf(earlier: RunIdentity, wanted: RunIdentity): string[] {
  const differences: string[] = [];
  if (earlier.model.sha256 !== wanted.model.sha256) differences.push(`model ${earlier.model.name}`);
  differences.push(
    ...imageDifferences(earlier.data, wanted.data),
    ...changedValues(earlier.data.transform, wanted.data.transform),
    ...changedValues(earlier.options, wanted.options),
  );
  return differences;
}

type Data = RunIdentity['data'];

/** How many, which, and with which labels. */
export function imageDifferences(earlier: Data, wanted: Data): string[] {
  if (earlier.images === wanted.images && earlier.fingerprint === wanted.fingerprint) return [];
  const [before, now] = [earlier.parts, wanted.parts];
  const differences: string[] = [];
  if (earlier.images !== wanted.images) {
    differences.push(`${earlier.images} images, now ${wanted.images}`);
  } else if (!before || !now || before.images !== now.images) {
    differences.push(`images of ${earlier.source}`);
  }
  if (!before || !now) return differences;
  if ((before.labels === null) !== (now.labels === null)) {
    differences.push(before.labels === null ? 'no labels, now there are some' : 'labels, now none');
  } else if (before.labels !== now.labels && earlier.images === wanted.images) {
    differences.push(before.images === now.images ? 'other labels of the same images' : 'other labels');
  }
  return differences;
}

/** `seed 0, now 1` for each value that differs; of what is no object, nothing. */
function changedValues(earlier: unknown, wanted: unknown): string[] {
  const [was, is] = [plain(earlier), plain(wanted)].map((one) => (one ?? {}) as Record<string, unknown>);
  const differences: string[] = [];
  for (const name of new Set([...Object.keys(was!), ...Object.keys(is!)])) {
    const [before = null, now = null] = [was![name], is![name]];
    if (isDeepStrictEqual(before, now)) continue;
    const isTold = name === 'donors' && differences.some((one) => one.startsWith('the grid '));
    if (isTold && isDeepStrictEqual(new Set(before as string[]), new Set(now as string[]))) continue;
    differences.push(
      isGrid(before) && isGrid(now)
        ? `the grid is another one: ${gridText(before)}, now ${gridText(now)}`
        : `${name} ${valueText(before)}, now ${valueText(now)}`,
    );
  }
  return differences;
}

/** The first items of a list, none of them twice. */
const valueText = (value: unknown) =>
  Array.isArray(value)
    ? `[${some([...new Set(value.map((one) => JSON.stringify(one)))])}]`
    : JSON.stringify(value);

/** Resets that are the points of module criticality's grid. */
const isGrid = (value: unknown): value is string[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((one) => typeof one === 'string' && /^interpolate=.*@[^@]*~[^@]*$/s.test(one));

const gridText = (points: readonly string[]) =>
  points.length === 1
    ? `1 point (${points[0]})`
    : `${points.length} points (${points[0]} to ${points.at(-1)})`;

/**
 * What the checksums of a run's journal begin with. CRC-32 is a bijection of where it begins: no line of a run with
 * another seal passes for one of this run.
 */
export function sealOf({ model, data, options }: RunIdentity): number {
  const decisive = {
    model: model.sha256,
    images: data.images,
    fingerprint: data.fingerprint,
    transform: data.transform,
    options,
  };
  return crc32(
    createHash('sha256')
      .update(canonical(plain(decisive)))
      .digest(),
  );
}

/** JSON whose keys are in order, whoever wrote them. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`;
}
