/** `critmap inspect --data SRC`: what images are there, and what a sweep would take of them. */
import { writeFile } from 'node:fs/promises';
import { CritmapError } from '../errors.js';
import { contactSheet } from '../images/contact-sheet.js';
import { type ImageSet, openImages } from '../images/index.js';
import { type SourceSurvey, surveyImages } from '../images/survey.js';
import { type ModelInput, modelInput } from '../model-input.js';
import type { ResampleFilter } from '../native.js';
import { cannotWrite } from '../write-error.js';
import { type ModelChoice, openModel } from './model-options.js';
import type { ProgressLine } from './progress.js';

export interface InspectData extends ModelChoice {
  data: string;
  images: number | 'all' | undefined;
  dataSeed: number | undefined;
  labels: string | undefined;
  resize: number | undefined;
  crop: number | undefined;
  interpolation: ResampleFilter | undefined;
  preview: string | undefined;
  json: boolean;
}

/** What a published model of ImageNet takes, or one of another size. */
const usualInput = (size = 224): ModelInput => ({ shape: { channels: 3, height: size, width: size } });

/** @throws CritmapError when the images cannot be listed, or the preview not written */
export async function inspectData(job: InspectData, line: ProgressLine): Promise<void> {
  const { data, images, dataSeed, labels, resize, crop, interpolation, preview, json } = job;
  const hasModel = job.model !== undefined || job.arch !== undefined;
  if (!hasModel && /\.np[yz]$/i.test(data)) {
    throw new CritmapError('ERR_OPTION', `${data} has images of one model's size; give the MODEL too`);
  }
  const input = hasModel ? modelInput(await openModel(job), crop) : usualInput(crop);
  const set = await openImages(data, {
    ...input,
    ...(images === undefined ? {} : { images }),
    ...(dataSeed === undefined ? {} : { dataSeed }),
    ...(labels === undefined ? {} : { labels }),
    ...(resize === undefined ? {} : { resize }),
    ...(crop === undefined ? {} : { crop }),
    ...(interpolation === undefined ? {} : { interpolation }),
    skipBadImages: true,
    onProgress: (done, total) => line.checked(done, total),
  });
  try {
    line.clear();
    const survey = await surveyImages(set);
    if (preview !== undefined) {
      const sheet = await contactSheet(set);
      await writeFile(preview, sheet).catch((error) => Promise.reject(cannotWrite(preview, error)));
    }
    process.stdout.write(
      json ? `${JSON.stringify(describe(set, survey), null, 1)}\n` : text(set, survey, job),
    );
  } finally {
    await set.close();
  }
}

/** Everything `inspect --data` knows, as plain JSON. */
function describe(set: ImageSet, survey: SourceSurvey) {
  const { source, total, count, shape, transform, dataSeed, names, indices, labels, classNames } = set;
  return {
    source,
    images: total,
    ...survey,
    shape,
    transform,
    classes: classNames?.length ?? null,
    skipped: set.skipped,
    warnings: set.warnings,
    sample: { seed: dataSeed, count, images: names ?? [...indices], labels: labels && [...labels] },
  };
}

const MOST_SHOWN = 20;

function text(set: ImageSet, survey: SourceSurvey, { preview }: InspectData): string {
  const { count, total, skipped, transform, shape } = set;
  const drawn = count + skipped.length;
  const counted = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, of]) => `${of.toLocaleString('en')} ${name}`)
      .join(', ');
  const lines = [
    `${set.source}  ${total.toLocaleString('en')} images`,
    `sample   ${drawn.toLocaleString('en')} with --data-seed ${set.dataSeed}: ${firstOf(set)}`,
  ];
  if (survey.formats) lines.push(`formats  ${counted(survey.formats)}`);
  if (survey.sizes) {
    const { width, height } = survey.sizes;
    lines.push(
      `sizes    ${width.least} to ${width.most} wide, ${height.least} to ${height.most} high; median ${width.median} x ${height.median}`,
    );
  }
  lines.push(`labels   ${labelText(set)}`, `bad      ${skipped.length} of ${drawn}`);
  for (const { image, problem } of skipped.slice(0, MOST_SHOWN)) lines.push(`         ${image}: ${problem}`);
  if (skipped.length > MOST_SHOWN) lines.push(`         and ${skipped.length - MOST_SHOWN} more, see --json`);
  const steps =
    transform.kind === 'tensors'
      ? 'taken as they are'
      : `${transform.resize === null ? '' : `short side to ${transform.resize}, `}${shape.width} x ${shape.height} at the centre, mean ${transform.mean.join(',')}, std ${transform.std.join(',')}`;
  lines.push(`pixels   ${steps}`);
  if (preview !== undefined) lines.push(`preview  ${preview}`);
  lines.push(...set.warnings.map((warning) => `warning: ${warning}`));
  return `${lines.join('\n')}\n`;
}

const firstOf = ({ names, indices, count }: ImageSet) =>
  someOf(names ? names.slice(0, 4) : [...indices.slice(0, 4)], count);

/** The first three of so many. */
function someOf(items: readonly (string | number)[], count: number): string {
  return `${items.slice(0, 3).join(', ')}${count > 3 ? ', ...' : ''}`;
}

function labelText({ labels, classNames, maxLabel }: ImageSet): string {
  if (!labels) return 'none';
  const seen = new Set(labels).size;
  const of = classNames
    ? `${classNames.length} (${someOf(classNames, classNames.length)})`
    : `0 to ${maxLabel}`;
  return `${seen} classes in the sample, of ${of}`;
}
