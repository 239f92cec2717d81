/**
 * The figures of a report as Vega-Lite specifications: pure functions of the summaries, with no data from
 * elsewhere and no expression built from a name. One specification serves HTML, SVG and PNG.
 */
import type { Loader } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import { CritmapError } from '../errors.js';
import type { Summary } from '../run/summary.js';
import { criticalityMap } from './criticality-map.js';
import { accuracyFigure, criticalityBars } from './layer-figures.js';
import { intervalsText } from './overview.js';
import { agreementFigure, parametersFigure } from './scatter-figures.js';
import { unitOf } from './subject.js';

export { accuracyFigure, agreementFigure, parametersFigure };

/** A figure and what a reader is told about it. */
export interface Figure {
  /** Stable, for anchors and file names. */
  id: 'criticality' | 'map' | 'agreement' | 'parameters' | 'accuracy';
  title: string;
  caption: string;
  spec: TopLevelSpec;
}

/** Criticality per layer: bars with intervals for one model, the map of layers × models for several. */
export function criticalityFigure(summaries: readonly Summary[]): TopLevelSpec {
  return summaries.length === 1 ? criticalityBars(summaries[0]!) : criticalityMap(summaries);
}

/** All figures that these summaries allow; accuracy needs labels. */
export function figuresOf(summaries: readonly Summary[]): Figure[] {
  const only = summaries.length === 1 ? summaries[0]! : undefined;
  const accuracy = accuracyFigure(summaries);
  const unit = unitOf(summaries);
  const figures: Figure[] = [
    {
      id: only === undefined ? 'map' : 'criticality',
      title: only === undefined ? 'Criticality map' : `Criticality per ${unit}`,
      caption:
        only === undefined
          ? `${unit === 'group' ? 'Groups' : 'Layers'} × models, mean over images and draws.`
          : criticalityCaption(only, unit),
      spec: criticalityFigure(summaries),
    },
    {
      id: 'agreement',
      title: 'Agreement and criticality',
      caption:
        `One point per ${unit}. Dashed: agreement = 100 − criticality. Above it the probabilities move more than the ` +
        `predicted class.${only === undefined ? '' : ` The ${unit === 'group' ? 'groups' : 'layers'} farthest from it are named.`}`,
      spec: agreementFigure(summaries),
    },
    {
      id: 'parameters',
      title: 'Parameters and criticality',
      caption: `One point per ${unit}. Those at the bottom right hold many parameters that the predictions hardly need.`,
      spec: parametersFigure(summaries),
    },
  ];
  if (accuracy !== null) {
    figures.push({
      id: 'accuracy',
      title: 'Accuracy after the reset',
      caption: `Top-1 accuracy with one ${unit} reset. Dashed: ${only === undefined ? 'untouched models' : 'untouched model'}.`,
      spec: accuracy,
    });
  }
  return figures;
}

function criticalityCaption(summary: Summary, unit: string): string {
  const covers = intervalsText(summary);
  return [`From the first ${unit} to the last. Bars: means.`, ...(covers ? [`Lines: ${covers}.`] : [])].join(
    ' ',
  );
}

/** Loaded when a figure is drawn: it waits for a canvas while it is loaded, which `require` of the package cannot. */
const vega = () => import('vega');

/** A loader that loads nothing: a figure carries its data. */
async function noLoader(): Promise<Loader> {
  const { loader } = await vega();
  const refuse = (): Promise<never> =>
    Promise.reject(new CritmapError('ERR_OPTION', 'a figure must not load anything from outside'));
  return Object.assign(loader(), { load: refuse, http: refuse, file: refuse });
}

/** Vega says of groups of marks that they are pictures of their own, without a name; the figure has one. */
export const withoutRoles = (svg: string): string =>
  svg.replace(/(<g [^>]*?) role="graphics-[a-z]+" aria-roledescription="[^">]*"/g, '$1');

/**
 * Renders a specification to SVG without a browser.
 * @returns one `<svg>` element; equal specifications give equal bytes
 */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const { parse, View } = await vega();
  const { compile } = await import('vega-lite');
  const view = new View(parse(compile(spec).spec), { renderer: 'none', loader: await noLoader() });
  try {
    return withoutRoles(await view.toSVG());
  } finally {
    view.finalize();
  }
}
