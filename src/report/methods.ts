/**
 * What a paper's methods section says of the runs, filled from their summaries, and how the work is cited. Plain text. Where
 * runs differ, every value is named.
 */
import { resetsIn, type Summary } from '../run/summary.js';
import { version } from '../version.js';
import { grouped, spanOf } from './numbers.js';
import { confidenceText, coveringOf, coverings, hasDraws, optionText } from './overview.js';
import { resetSentence } from './prose.js';
import { restOf, subjectOf } from './subject.js';

/** How the intervals were made, by what a summary calls them. */
const INTERVALS = {
  student: 'Student’s t over slices of images, each with draws of its own',
  betting: 'confidence sequences by betting, valid whenever a layer is stopped',
  crossed: 'crossed random effects of draws and images',
  trials: 'Student’s t over draws',
  images: 'Student’s t over images',
} as const;

const COVERS = {
  draws: 'new draws and new images',
  draw: 'new images, under the draws that were made',
  images: 'new images',
} as const;

/** Distinct values as a list in words. */
function listed(values: readonly string[]): string {
  const [...all] = new Set(values);
  return all.length < 2 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

const plural = (text: string, word: string) => `${text} ${word}${text === '1' ? '' : 's'}`;

/**
 * @param summaries - at least one
 * @param baseline - the model that differences are to, where there are some
 */
export function methodsOf(summaries: readonly Summary[], baseline?: string): string {
  const option = (name: string) => summaries.flatMap((summary) => optionText(summary, name) ?? []);
  const models = new Set(summaries.map(({ model }) => model.name));
  const sources = listed(summaries.map(({ data }) => data.source));
  const images = spanOf(summaries.map(({ data }) => data.images));
  const init = listed(option('init'));
  const resets = [...new Set(summaries.flatMap(resetsIn))];
  const parts = listed(option('parts'));
  const of = models.size === 1 ? [...models][0]! : `each of ${grouped(models.size)} models`;
  const sentences = [
    `Layer criticality was measured with critmap ${listed(option('critmap')) || version} (ONNX Runtime ${listed(option('onnxruntime')) || 'of unknown version'}), after Gavrikov et al. (2024).`,
    `In ${of}, ${subjectOf(summaries)}: ${resets.map((reset) => resetSentence(reset, init || undefined, parts)).join(', or ')}; ${restOf(summaries)}.`,
    ...layersSentences(summaries),
    ...meanSentence(summaries, resets),
    ...leftOutSentences(summaries, resets),
    `The softmax probabilities of ${plural(images, 'image')} from ${sources} were compared with those of the untouched model; criticality is 100 × (1 − mean cosine similarity), in percent, and agreement the share of images whose predicted class stays.`,
    drawsSentence(summaries),
    ...intervalsSentence(summaries),
    ...stoppingSentence(summaries),
    ...(baseline === undefined ? [] : [differencesSentence(baseline)]),
    ...precisionSentence(listed(option('precision')), listed(option('engine'))),
  ];
  return sentences.join(' ');
}

/** What else was a layer than a trained weight's operator. */
function layersSentences(summaries: readonly Summary[]): string[] {
  const say = (name: string, wanted: string, sentence: string) => {
    const those = summaries.filter((summary) => optionText(summary, name) === wanted).length;
    if (those === 0) return [];
    return [`${sentence}${those < summaries.length ? ' in some runs' : ''}.`];
  };
  return [
    ...say('include', 'norm', 'Norms with parameters counted as layers'),
    ...say('splitQkv', 'true', 'Fused queries, keys and values of attention were taken as three layers'),
  ];
}

function meanSentence(summaries: readonly Summary[], resets: readonly string[]): string[] {
  const images = listed(summaries.flatMap((summary) => optionText(summary, 'calibration') ?? []));
  return images === '' || !resets.includes('mean')
    ? []
    : [`That mean is over the first ${images} images of the sample, or all of a smaller one.`];
}

const MOST_NAMED = 3;

/** What could not be tested with a reset that others were. */
function leftOutSentences(summaries: readonly Summary[], resets: readonly string[]): string[] {
  return resets.flatMap((reset) => {
    const names = summaries.map(({ leftOut = [] }) => [
      ...new Set(leftOut.flatMap((one) => (one.reset === reset ? one.name : []))),
    ]);
    const count = spanOf(names.map(({ length }) => length));
    if (count === '0') return [];
    const of = new Set(names.flat());
    const which = of.size <= MOST_NAMED ? ` (${listed([...of])})` : '';
    return [`The reset ${reset} could not be done to ${count}${which}, which have no number under it.`];
  });
}

const differencesSentence = (baseline: string) =>
  `Differences to ${baseline} were tested per layer (paired over slices where models saw the same images or draws, else by Welch’s test), with p-values adjusted over all cells by Holm and by Benjamini and Hochberg.`;

function drawsSentence(summaries: readonly Summary[]): string {
  const seeds = listed(summaries.flatMap((summary) => optionText(summary, 'seed') ?? []));
  const seed = seeds === '' ? '' : ` (seed ${seeds})`;
  const all = summaries.flatMap(({ layers }) => layers);
  const drawn = all.filter(hasDraws);
  if (drawn.length === 0) return 'No weights were drawn at random: each image counts once.';
  const draws = spanOf(drawn.map((layer) => layer.draws));
  const each = [
    ...new Set(
      summaries.flatMap(({ options, layers }) => {
        if (!layers.some(hasDraws)) return [];
        return typeof options.imagesPerDraw === 'number' ? options.imagesPerDraw : 'all';
      }),
    ),
  ];
  const sliced = each.filter((one) => one !== 'all');
  const start = drawn.length < all.length ? 'Where a reset draws, ' : '';
  const sentence = (text: string) =>
    start === '' ? `${text[0]!.toUpperCase()}${text.slice(1)}.` : `${start}${text}.`;
  if (sliced.length === 0)
    return sentence(
      `every layer had ${plural(draws, 'independent draw')}, each of which saw all images${seed}`,
    );
  const together = sliced.map((one) => (one === 1 ? 'image' : `${one} consecutive images`));
  const cut = `every ${together.join(' or ')} of a random order had draws of ${sliced.every((one) => one === 1) ? 'its' : 'their'} own, ${plural(draws, 'draw')} for each layer${seed}`;
  return sentence(
    each.length === sliced.length ? cut : `in some runs ${cut}; in the others every draw saw all images`,
  );
}

function intervalsSentence(summaries: readonly Summary[]): string[] {
  const layers = summaries.flatMap((one) => one.layers.filter(({ criticality }) => criticality.interval));
  if (layers.length === 0) return [];
  const kinds = new Set(layers.map(({ criticality }) => criticality.interval!));
  const found = new Set(layers.map(coveringOf));
  const covers = coverings
    .filter((covering) => found.has(covering))
    .map(
      (one) => `${COVERS[one]}${one === 'images' && found.size > 1 ? ' where a reset draws nothing' : ''}`,
    );
  const confidence = listed(summaries.flatMap((summary) => confidenceText(summary) ?? [])) || 'Confidence';
  return [
    `${confidence} intervals (${[...kinds].map((kind) => INTERVALS[kind]).join('; ')}) cover ${covers.join(', or ')}.`,
  ];
}

function stoppingSentence(summaries: readonly Summary[]): string[] {
  const tolerances = listed(summaries.flatMap((summary) => optionText(summary, 'tolerance') ?? []));
  if (tolerances === '') return [];
  const rows = summaries.flatMap(({ options, layers }) => (options.tolerance === undefined ? [] : layers));
  const stopped = rows.filter(({ stoppedAt }) => stoppedAt !== null).length;
  const reached =
    stopped === rows.length
      ? 'all reached that'
      : `${stopped === 0 ? 'none' : grouped(stopped)} of ${grouped(rows.length)} reached that, ${stopped === 0 ? 'all' : 'the others'} saw all images`;
  return [
    `A layer was to be stopped once its interval was within ± ${tolerances} percentage points: ${reached}.`,
  ];
}

function precisionSentence(precision: string, engine: string): string[] {
  if (precision === '' && engine === '') return [];
  return [`Computed in ${precision || 'fp32'} with the ${engine || 'fast'} engine.`];
}

/** Of a table of draws, of which no more is known. */
export function methodsOfTable(models: number, layers: number, draws: number, baseline?: string): string {
  const sentences = [
    `Layer criticality of ${plural(grouped(models), 'model')}, 100 × (1 − mean cosine similarity of the softmax probabilities before and after a layer is reset) in percent, was computed by critmap ${version} from a table with a row for each model, layer and draw, after Gavrikov et al. (2024): ${plural(grouped(layers), 'layer')}, ${draws === 1 ? 'one draw' : `up to ${grouped(draws)} draws`} each, all of which saw the same images.`,
    ...(draws > 1 ? ['95 % intervals (Student’s t over draws) cover new draws on the same images.'] : []),
    ...(baseline === undefined || draws < 2
      ? []
      : [
          `Differences to ${baseline} were tested per layer by Welch’s test over draws, with p-values adjusted over all cells by Holm and by Benjamini and Hochberg.`,
        ]),
  ];
  return sentences.join(' ');
}

/** critmap, and the study that it follows. */
export const bibtex = (): string => `@software{critmap,
  title   = {critmap: layer criticality of trained vision models},
  version = {${version}},
  year    = {2026}
}

@misc{gavrikov2024training,
  title         = {How Do Training Methods Influence the Utilization of Vision Models?},
  author        = {Gavrikov, Paul and Agnihotri, Shashank and Keuper, Margret and Keuper, Janis},
  year          = {2024},
  eprint        = {2410.14470},
  archiveprefix = {arXiv}
}`;
