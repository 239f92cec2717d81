/** All figures that the data allow, in the order of the page: pure functions of the data. */
import { distinct } from '../report/text.js';
import { imageSetFigure, metricFigure } from './agreement-figures.js';
import type { FigureData } from './data.js';
import { maps } from './maps.js';
import { profile } from './profile.js';
import { scatters } from './scatters.js';
import { stageFigures } from './stages.js';
import { DEFAULT_STYLE, type Drawing, type Style } from './style.js';

/** Models with a profile each where nobody says which. */
const FEW = 4;

export interface DrawingOptions {
  style?: Style;
  /** Ids of models with a profile; default all of a few models, else the baseline. */
  profiles?: readonly string[] | undefined;
  /** Panels with more cells get no maps: a page shows them otherwise. Default: all get theirs. */
  mostCells?: number | undefined;
}

/** What a page has of still figures; larger ones would be most of it. */
export const MOST_CELLS_OF_PAGE = 12_000;

/** @throws RangeError for a profile of no model */
export function drawingsOf(data: FigureData, options: DrawingOptions = {}): Drawing[] {
  const { style = DEFAULT_STYLE, profiles = profilesOf(data), mostCells = Infinity } = options;
  const others = [imageSetFigure(data, style), metricFigure(data, style)];
  const drawings = [
    ...maps(data, style, mostCells),
    ...scatters(data, style),
    ...stageFigures(data, style),
    ...profiles.map((id) => profile(data, id, style)),
    ...others.filter((one) => one !== null),
  ];
  // Two attributes or models may be called the same once what no file is called is left out.
  const ids = distinct(drawings.map(({ id }) => id)).map((id) => id.replace(' #', '-'));
  return drawings.map((drawing, i) => ({ ...drawing, id: ids[i]! }));
}

function profilesOf({ models, baseline }: FigureData): string[] {
  if (models.length <= FEW) return models.map(({ id }) => id);
  return baseline === null ? [] : [baseline];
}
