/** Figures of runs, studies and published tables, for scripts: what `critmap report --format svg,pdf,png` writes. */
import { CritmapError, messageOf, quoted, some } from '../errors.js';
import { FONT_SIZES, styleOf, WIDTHS_MM } from '../figures/sizes.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { comparedOptions } from './compare-runs.js';
import { type FigureDataOptions, figureData } from './figure-data.js';

export const FIGURE_FORMATS = ['svg', 'pdf', 'png'] as const;
/** What a figure is drawn as. */
export type FigureFormat = (typeof FIGURE_FORMATS)[number];

/** Which figures are drawn, of what, and how large. */
export interface RenderFiguresOptions extends FigureDataOptions {
  /** Default `svg`. */
  format?: FigureFormat | undefined;
  /** Ids of figures that are wanted, `map`, `difference`, ...; default all that the data allow. */
  figures?: readonly string[] | undefined;
  /** Ids of models with a profile; default all of up to four models, else the baseline. */
  profiles?: readonly string[] | undefined;
  /** Of figures that fill a page, 40 to 2000; default 1130 px at 96 px an inch. */
  widthMm?: number | undefined;
  /** Of labels, in points, 3 to 40; default 8.25. */
  fontSize?: number | undefined;
  /** Light text on a dark ground. */
  isDark?: boolean | undefined;
  /** Without a ground. */
  isTransparent?: boolean | undefined;
}

/** A figure, drawn, with its specification. */
export interface RenderedFigure {
  id: string;
  title: string;
  caption: string;
  /** Its Vega-Lite specification with its data. */
  spec: object;
  /** Text of SVG, bytes of PDF and PNG. */
  file: string | Uint8Array;
}

/**
 * Draws figures.
 * @param sources run directories, directories of studies, `results.csv` files
 * @throws CritmapError (ERR_RUN, ERR_STUDY) for what cannot be read, (ERR_OPTION) for unknown models and figures that the data
 *   do not have, (ERR_NATIVE) where
 *   the package that draws cannot be loaded; TypeError, RangeError for options of another kind
 */
export async function renderFigures(
  sources: readonly string[],
  options: RenderFiguresOptions = {},
): Promise<RenderedFigure[]> {
  const { format = 'svg', figures, profiles, widthMm, fontSize, isDark, isTransparent } = checked(options);
  if (!Array.isArray(sources)) throw new TypeError('sources must be a list of paths');
  const data = await figureData(sources, options);
  // Drawing needs a native package, which a script that draws nothing should not load.
  const [{ drawingsOf }, { DARK_PAPER, darkened }, render] = await Promise.all([
    import('../figures/all-figures.js'),
    import('../figures/dark.js'),
    import('../figures/render.js'),
  ]).catch((error: unknown) => {
    throw new CritmapError(
      'ERR_NATIVE',
      `figures need the package @napi-rs/canvas, which cannot be loaded: ${messageOf(error)}`,
      { cause: error },
    );
  });
  const drawings = drawingsOf(data, { style: styleOf(widthMm, fontSize), profiles });
  refuseUnknown(figures, drawings);
  const make = { svg: render.svgFile, pdf: render.pdfFile, png: render.pngFile }[format];
  const drawn: RenderedFigure[] = [];
  const ground = isDark ? DARK_PAPER : undefined;
  for (const { id, title, caption, spec: light } of drawings) {
    if (figures && !figures.includes(id)) continue;
    const spec = isDark ? darkened(light) : light;
    drawn.push({
      id,
      title,
      caption,
      spec,
      file: await make(spec, { widthMm, isTransparent, ground, title }),
    });
  }
  return drawn;
}

function refuseUnknown(figures: readonly string[] | undefined, drawings: readonly { id: string }[]): void {
  const ids = drawings.map(({ id }) => id);
  const unknown = figures?.find((id) => !ids.includes(id));
  if (unknown === undefined) return;
  throw new CritmapError(
    'ERR_OPTION',
    `there is no figure ${quoted(unknown)} of these data; there is ${some(ids, 20)}`,
  );
}

const known = {
  ...comparedOptions,
  ...{
    reset: 'text',
    title: 'text',
    format: null,
    figures: null,
    profiles: null,
    widthMm: null,
    fontSize: null,
  },
  ...{ isDark: 'boolean', isTransparent: 'boolean' },
} as const satisfies OptionKinds<RenderFiguresOptions>;

function checked(options: RenderFiguresOptions): RenderFiguresOptions {
  refuseMisuse('renderFigures', options, known);
  const { format = 'svg', figures, profiles, widthMm, fontSize } = options;
  if (!FIGURE_FORMATS.includes(format)) {
    throw new TypeError(`format must be one of ${FIGURE_FORMATS.join(', ')}`);
  }
  for (const [name, list] of Object.entries({ figures, profiles })) {
    if (list !== undefined && !(Array.isArray(list) && list.every((one) => typeof one === 'string'))) {
      throw new TypeError(`${name} must be a list of ids`);
    }
  }
  const isWithin = (value: unknown, { least, most }: { least: number; most: number }) =>
    value === undefined || (typeof value === 'number' && value >= least && value <= most);
  for (const [name, value, range] of [
    ['widthMm', widthMm, WIDTHS_MM],
    ['fontSize', fontSize, FONT_SIZES],
  ] as const) {
    if (!isWithin(value, range)) throw new RangeError(`${name} must be from ${range.least} to ${range.most}`);
  }
  return options;
}
