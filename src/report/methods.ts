/**
 * What a paper's methods section says of the runs, filled from their summaries, and how the work is cited. Plain text. Where
 * runs differ, every value is named.
 */
import { resetsIn, type Summary } from '../run/summary.js';
import { version } from '../version.js';
import { grouped } from './numbers.js';
import { confidenceText, optionText } from './overview.js';
import { resetSentence } from './prose.js';

/** How the intervals were made, by what a summary calls them. */
const INTERVALS = {
  student: 'Student’s t over slices of images, each with draws of its own',
  betting: 'confidence sequences by betting, valid whenever a layer is stopped',
  crossed: 'crossed random effects of draws and images',
  trials: 'Student’s t over draws',
  images: 'Student’s t over images',
} as const;

const COVERS = {
  ...{ student: 'new draws and new images', betting: 'new draws and new images' },
  ...{ crossed: 'new draws and new images', trials: 'new draws and new images' },
  images: 'new images, under the draws that were made',
} as const;

/** Distinct values as a list in words. */
function listed(values: readonly string[]): string {
  const [...all] = new Set(values);
  return all.length < 2 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

/** `54`, or `21 to 54`. */
function spanOf(values: readonly number[]): string {
  const [least, most] = values.reduce(
    ([a, b], v) => [Math.min(a, v), Math.max(b, v)],
    [values[0]!, values[0]!],
  );
  return least === most ? grouped(least) : `${grouped(least)} to ${grouped(most)}`;
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
  const names = spanOf(summaries.map(({ layers }) => new Set(layers.map(({ layer }) => layer)).size));
  const init = listed(option('init'));
  const resets = [...new Set(summaries.flatMap(resetsIn))];
  const norms = listed(option('norm'));
  const of = models.size === 1 ? [...models][0]! : `each of ${grouped(models.size)} models`;
  const sentences = [
    `Layer criticality was measured with critmap ${listed(option('critmap')) || version} (ONNX Runtime ${listed(option('onnxruntime')) || 'of unknown version'}), after Gavrikov et al. (2024).`,
    `In ${of}, ${names === '1' ? 'one layer was' : `every one of ${names} layers was`} reset on its own: ${resets.map((reset) => resetSentence(reset, init || undefined)).join(', or ')}; all other parameters stayed as trained${norms === 'reset' ? ', but for the normalisation that follows the layer, which was reset with it' : ''}.`,
    `The softmax probabilities of ${plural(images, 'image')} from ${sources} were compared with those of the untouched model; criticality is 100 × (1 − mean cosine similarity), in percent, and agreement the share of images whose predicted class stays.`,
    drawsSentence(summaries),
    ...intervalsSentence(summaries),
    ...stoppingSentence(summaries),
    ...(baseline === undefined ? [] : [differencesSentence(baseline)]),
    ...precisionSentence(listed(option('precision')), listed(option('engine'))),
  ];
  return sentences.join(' ');
}

const differencesSentence = (baseline: string) =>
  `Differences to ${baseline} were tested per layer (paired over slices where models saw the same images or draws, else by Welch’s test), with p-values adjusted over all cells by Holm and by Benjamini and Hochberg.`;

function drawsSentence(summaries: readonly Summary[]): string {
  const seeds = listed(summaries.flatMap((summary) => optionText(summary, 'seed') ?? []));
  const seed = seeds === '' ? '' : ` (seed ${seeds})`;
  const draws = spanOf(summaries.flatMap(({ layers }) => layers.map((layer) => layer.draws)));
  const each = [
    ...new Set(
      summaries.flatMap(({ options }) =>
        typeof options.imagesPerDraw === 'number' ? options.imagesPerDraw : 'all',
      ),
    ),
  ];
  const sliced = each.filter((one) => one !== 'all');
  if (draws === '0') return `The resets draw nothing${seed}.`;
  if (sliced.length === 0)
    return `Every layer had ${plural(draws, 'independent draw')}, each of which saw all images${seed}.`;
  const cut = `every ${listed(sliced.map(String))} consecutive image${sliced.length === 1 && sliced[0] === 1 ? '' : 's'} of a random order had draws of their own, ${plural(draws, 'draw')} for each layer${seed}`;
  return each.length === sliced.length
    ? `${cut[0]!.toUpperCase()}${cut.slice(1)}.`
    : `In some runs ${cut}; in the others every draw saw all images.`;
}

function intervalsSentence(summaries: readonly Summary[]): string[] {
  const kinds = [
    ...new Set(
      summaries.flatMap(({ layers }) => layers.flatMap(({ criticality }) => criticality.interval ?? [])),
    ),
  ];
  if (kinds.length === 0) return [];
  const confidence = listed(summaries.flatMap((summary) => confidenceText(summary) ?? [])) || 'Confidence';
  return [
    `${confidence} intervals (${listed(kinds.map((kind) => INTERVALS[kind]))}) cover ${listed(kinds.map((kind) => COVERS[kind]))}.`,
  ];
}

function stoppingSentence(summaries: readonly Summary[]): string[] {
  const tolerances = listed(summaries.flatMap((summary) => optionText(summary, 'tolerance') ?? []));
  return tolerances === ''
    ? []
    : [`A layer was stopped once its interval was within ± ${tolerances} percentage points.`];
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
