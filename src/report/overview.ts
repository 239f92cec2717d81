/** What a report says about a whole summary: means over layers, extremes, and options read defensively. */
import { isRandomLabel } from '../resets/kinds.js';
import { type LayerSummary, resetsIn, type Summary } from '../run/summary.js';

/** Mean of the values that are not null; null where there are none. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value): value is number => value !== null);
  if (present.length === 0) return null;
  return present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** The resets in the order in which they were asked for. */
export const resetsOf = (summary: Summary): string[] => resetsIn(summary);

/** What a summary is seen by at a glance: the rows of the reset that was asked for first, and which it is where there are several. */
export function headlineOf(summary: Summary): { layers: LayerSummary[]; reset: string | undefined } {
  const [first, ...others] = resetsOf(summary);
  const layers = summary.layers.filter(({ reset }) => reset === first);
  return { layers, reset: others.length > 0 ? first : undefined };
}

/**
 * The paper's overall measure of a model: the mean criticality of its layers, in percent. A layer whose reset leaves no
 * valid output counts as 100: without it, a destroyed model would look better.
 */
export function meanCriticality(layers: readonly LayerSummary[]): number | null {
  return meanOf(layers.map((layer) => (isDestroyed(layer) ? 100 : layer.criticality.mean)));
}

/** Whether every output after the reset was NaN or infinite. */
export const isDestroyed = ({ passes, invalid }: LayerSummary) => passes > 0 && invalid === passes;

/** Layers with a criticality, the most critical first; equal ones stay in graph order. */
export function byCriticality(layers: readonly LayerSummary[]): LayerSummary[] {
  return layers
    .filter((layer) => layer.criticality.mean !== null)
    .sort((a, b) => b.criticality.mean! - a.criticality.mean!);
}

/** Layers that saw images with NaN or infinite logits. */
export function invalidLayers(summary: Summary): LayerSummary[] {
  return summary.layers.filter((layer) => layer.invalid > 0);
}

/** A row's name: the layer, and the reset where the summary holds more than one kind. */
export function rowName(layer: LayerSummary, summary: Summary): string {
  return resetsOf(summary).length > 1 ? `${layer.layer} · ${layer.reset}` : layer.layer;
}

/** Whether its rows are groups of layers that were reset together. */
export const isGrouped = ({ layers }: Summary) => layers.some(({ members }) => members !== undefined);

const MOST_NAMED = 3;
const named = (names: readonly string[]) =>
  names.slice(0, MOST_NAMED).join(', ') +
  (names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '');

/** What was not tested by itself, a sentence for each reason: tied weights, and what cannot be reset as a layer. */
export function untested({ layers, leftOut = [] }: Summary): string[] {
  const tied = new Map(layers.flatMap(({ layer, uses }) => (uses === undefined ? [] : [[layer, uses]])));
  const reasons = new Map(leftOut.map(({ why, reset }) => [JSON.stringify([why, reset]), { why, reset }]));
  return [
    ...(tied.size > 0
      ? [
          `Used in several places, which were reset together: ${named([...tied].map(([layer, uses]) => `${layer} in ${uses}`))}.`,
        ]
      : []),
    ...[...reasons.values()].map(({ why, reset }) => {
      const these = leftOut.filter((one) => one.why === why && one.reset === reset);
      const under = reset === undefined ? '' : ` with ${reset}`;
      return `Not tested${under}: ${named(these.map(({ name }) => name))}; ${why}.`;
    }),
  ];
}

/** An option as text, or undefined where it was not recorded. Options come from a file: any value may occur. */
export function optionText(summary: Summary, name: string): string | undefined {
  const value: unknown = Object.hasOwn(summary.options, name) ? summary.options[name] : undefined;
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `95 %` from the option `confidence`, or undefined. */
export function confidenceText(summary: Summary): string | undefined {
  const value = Number(optionText(summary, 'confidence'));
  return value > 0 && value < 1 ? `${Number((100 * value).toFixed(4))} %` : undefined;
}

/** Whether a row's reset has draws: of one that always does the same, intervals cover images only, however they are made. */
export const hasDraws = ({ reset, op }: LayerSummary) => isRandomLabel(reset, op);

/** What intervals cover: new draws too, images under a draw that was made, or images of a reset that draws nothing. */
export const coverings = ['draws', 'draw', 'images'] as const;

/** Of those that have an interval. */
export function coveringOf(layer: LayerSummary): (typeof coverings)[number] {
  if (!hasDraws(layer)) return 'images';
  return layer.criticality.interval === 'images' ? 'draw' : 'draws';
}

const COVERS = {
  draws: 'over new draws and images',
  draw: 'over new images, under the draw that was made',
  images: 'over new images',
} as const;

/** What the intervals are and cover, `95 % intervals of ...`; undefined where there are none. */
export function intervalsText(summary: Summary): string | undefined {
  const layers = summary.layers.filter(({ criticality }) => criticality.interval !== null);
  const found = new Set(layers.map(coveringOf));
  if (found.size === 0) return undefined;
  const texts = coverings
    .filter((covering) => found.has(covering))
    .map(
      (one) => `${COVERS[one]}${one === 'images' && found.size > 1 ? ' where a reset draws nothing' : ''}`,
    );
  const whenever = layers.some(({ criticality }) => criticality.interval === 'betting');
  return `${confidenceText(summary) ?? 'confidence'} intervals of the mean ${texts.join(', or ')}${whenever ? ', valid whenever one looks' : ''}`;
}

/** Random resets of which one draw was made, and that changed something: what is said of them holds for that draw. */
export function singleDraws(summary: Summary): LayerSummary[] {
  return summary.layers.filter((layer) => hasDraws(layer) && layer.draws === 1 && layer.change !== 0);
}

/** What to do about single draws. */
export const moreDraws = ({ options }: Summary): string =>
  options.imagesPerDraw === 'all'
    ? 'Leave out --trials for a new draw every few images.'
    : 'Take more images, or fewer for each draw (--images-per-draw).';
