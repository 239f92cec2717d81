/** `critmap inspect --data SRC`: what images are there, and what a sweep would take of them. */
import { CritmapError } from '../errors.js';
import { writeOutput } from '../files/replace.js';
import { contactSheet } from '../images/contact-sheet.js';
import { type ImageSet, openImages } from '../images/index.js';
import { type SourceSurvey, surveyImages } from '../images/survey.js';
import { type ModelInput, modelInput } from '../model/input.js';
import type { ResampleFilter } from '../native/addon.js';
import { type ModelChoice, openModel } from '../request/open-model.js';
import { parseResets } from '../resets/parse.js';
import { predictCost, type SweepCost } from '../sweep/cost.js';
import type { SweepValues } from '../sweep/options.js';
import { stepsOf } from './image-steps.js';
import { modelReport } from './inspect-model.js';
import type { ProgressLine } from './progress.js';
import { duration } from './progress.js';
import { json, print, shown } from './terminal.js';

export interface InspectData extends ModelChoice {
  data: string;
  images?: number | 'all' | undefined;
  dataSeed?: number | undefined;
  labels?: string | undefined;
  labelColumns?: readonly string[] | undefined;
  /** As a sweep takes it; here bad images are listed either way. */
  skipBadImages?: boolean | undefined;
  resize?: number | undefined;
  crop?: number | undefined;
  interpolation?: ResampleFilter | undefined;
  preview: string | undefined;
  layers?: readonly string[] | undefined;
  exclude?: readonly string[] | undefined;
  group?: string | undefined;
  reset?: readonly string[] | undefined;
  include?: SweepValues['include'];
  splitQkv?: boolean | undefined;
  norm?: SweepValues['norm'];
  parts?: SweepValues['parts'];
  imagesPerDraw?: number | 'all' | undefined;
  trials?: number | undefined;
  threads?: number | undefined;
  json: boolean;
}

/** What a published model of ImageNet takes, or one of another size. */
const usualInput = (size = 224): ModelInput => ({ shape: { channels: 3, height: size, width: size } });

/** @throws CritmapError when the images cannot be listed, or the preview not written */
export async function inspectData(job: InspectData, line: ProgressLine): Promise<void> {
  const { data, images, dataSeed, labels, labelColumns, resize, crop, interpolation, preview } = job;
  const { json: asJson } = job;
  const hasModel = job.model !== undefined || job.arch !== undefined;
  if (!hasModel && /\.np[yz]$/i.test(data)) {
    throw new CritmapError('ERR_OPTION', `${data} has images of one model's size; give the MODEL too`);
  }
  if (preview !== undefined && !/\.png$/i.test(preview)) {
    throw new CritmapError(
      'ERR_OPTION',
      `--preview ${preview} is written as PNG; give a name that ends with .png`,
    );
  }
  const model = hasModel ? await openModel(job, { onFetch: (progress) => line.fetched(progress) }) : null;
  const input = model ? modelInput(model, crop) : usualInput(crop);
  const set = await openImages(data, {
    ...input,
    ...(images === undefined ? {} : { images }),
    ...(dataSeed === undefined ? {} : { dataSeed }),
    ...(labels === undefined ? {} : { labels }),
    ...(labelColumns === undefined ? {} : { labelColumns }),
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
      await writeOutput(preview, await contactSheet(set));
    }
    const resets =
      model && job.reset && (await parseResets(job.reset, model, { input: job.input, output: job.output }));
    const cost = model && (await predictCost(model, set, { ...designOf(job), ...(resets && { resets }) }));
    const about = model && (await modelReport(model, job));
    print(
      asJson
        ? json({ ...describe(set, survey), cost, model: about?.facts ?? null }, 1)
        : `${about ? `${about.text}\n` : ''}${text(set, survey, cost, job)}`,
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
    labelsUnderstood: set.labelsUnderstood,
    skipped: set.skipped,
    warnings: set.warnings,
    sample: { seed: dataSeed, count, images: names ?? [...indices], labels: labels && [...labels] },
  };
}

const MOST_SHOWN = 20;

function text(set: ImageSet, survey: SourceSurvey, cost: SweepCost | null, job: InspectData): string {
  const { preview, skipBadImages } = job;
  const { count, total, skipped } = set;
  const drawn = count + skipped.length;
  const lines = [
    `${set.source}  ${number(total)} images`,
    ...folded('sample', `${number(drawn)} with --data-seed ${set.dataSeed}: `, firstOf(set)),
  ];
  if (survey.formats) {
    const counts = Object.entries(survey.formats).map(([name, of]) => `${number(of)} ${name}`);
    lines.push(...folded('formats', '', counts));
  }
  if (survey.sizes) lines.push(`sizes    ${sizeText(survey.sizes)}`);
  lines.push(`labels   ${labelText(set)}`);
  if (set.labelsUnderstood !== null) lines.push(`         ${set.labelsUnderstood}`);
  const fate = skipBadImages
    ? ', left out'
    : '; a sweep refuses them, or leaves them out with --skip-bad-images';
  lines.push(`bad      ${number(skipped.length)} of ${number(drawn)}${skipped.length > 0 ? fate : ''}`);
  for (const { image, problem } of skipped.slice(0, MOST_SHOWN)) lines.push(`         ${image}: ${problem}`);
  if (skipped.length > MOST_SHOWN) {
    lines.push(`         and ${number(skipped.length - MOST_SHOWN)} more, see --json`);
  }
  lines.push(...folded('pixels', '', stepsOf(set)));
  if (cost) lines.push(`sweep    ${costText(cost, job.group)}`);
  if (preview !== undefined) lines.push(`preview  ${preview}`);
  for (const warning of set.warnings) lines.push(`warning: ${warning}`);
  return `${shown(lines).join('\n')}\n`;
}

/** What decides the cost of a sweep; what is not given has the sweep's default. */
function designOf(job: InspectData): SweepValues {
  const { layers, exclude, group, include, splitQkv, norm, parts, imagesPerDraw, trials, threads } = job;
  return {
    ...(include && { include }),
    ...(splitQkv && { splitQkv }),
    ...(norm && { norm }),
    ...(parts && { parts }),
    ...(layers && { layers }),
    ...(exclude && { exclude }),
    ...(group !== undefined && { group }),
    ...(imagesPerDraw !== undefined && { imagesPerDraw }),
    ...(trials !== undefined && { trials }),
    ...(threads !== undefined && { threads }),
  };
}

function costText({ layers, resets, cells, images, passes, threads, seconds }: SweepCost, group = 'layer') {
  const what = `${layers} ${group === 'layer' ? 'layers' : 'groups of layers'}`;
  // Not every layer may be tested under every reset, and not every reset has draws.
  const draws = cells / layers;
  const factors =
    resets === layers && Number.isInteger(draws)
      ? `${what} x ${number(images)} images${draws > 1 ? ` x ${draws} draws` : ''}`
      : `${number(cells)} ${cells > resets ? 'resets and draws' : 'resets'} of ${what} x ${number(images)} images`;
  return `${number(passes)} passes (${factors}), about ${duration(seconds)} with ${threads} threads`;
}

const number = (of: number) => of.toLocaleString('en');

const COLUMNS = 80;
const INDENT = 9;

/** A list behind its name, in as many lines as it takes on a narrow terminal. */
function folded(name: string, head: string, items: readonly string[]): string[] {
  const lines = [`${name.padEnd(INDENT)}${head}`];
  for (const [at, item] of items.entries()) {
    const piece = at < items.length - 1 ? `${item}, ` : item;
    const last = lines.at(-1)!;
    const fits = last.length + piece.trimEnd().length <= COLUMNS || last.length <= INDENT;
    if (fits) lines[lines.length - 1] = last + piece;
    else lines.push(' '.repeat(INDENT) + piece);
  }
  return lines.map((line) => line.trimEnd());
}

function sizeText({ width, height }: NonNullable<SourceSurvey['sizes']>): string {
  const spread = (of: typeof width) => (of.least === of.most ? `${of.most}` : `${of.least} to ${of.most}`);
  const same = width.least === width.most && height.least === height.most;
  if (same) return `all ${width.most} x ${height.most}`;
  return `${spread(width)} wide, ${spread(height)} high; median ${width.median} x ${height.median}`;
}

/** The first three names, or positions in an array. */
const firstOf = ({ names, indices, count }: ImageSet) =>
  firstThree(names ? names.slice(0, 3) : [...indices.slice(0, 3)], count);

const firstThree = (items: readonly (string | number)[], count: number) => [
  ...items.slice(0, 3).map(String),
  ...(count > 3 ? ['...'] : []),
];

function labelText({ labels, classNames, maxLabel }: ImageSet): string {
  if (!labels) return 'none';
  const seen = number(new Set(labels).size);
  if (!classNames) return `${seen} classes in the sample, the highest ${maxLabel}`;
  const names = firstThree(classNames, classNames.length).join(', ');
  return `${seen} of ${number(classNames.length)} classes in the sample (${names})`;
}
