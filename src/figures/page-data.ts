/** Figures' data as a page carries them for its script. Names are made printable here; they are text on the page. */
import type { PageData } from '../page/page-data.js';
import { columnsOfCells, metricsOf } from '../report/page-columns.js';
import { distinct, printable } from '../report/text.js';
import { cellIndex, type FigureCell, type FigureData, type FigureDifference } from './data.js';

export function pageData(data: FigureData): PageData {
  const index = new Map(data.models.map(({ id }, i) => [id, i]));
  const rankOf = new Map(data.categories.map(({ id }, i) => [id, i]));
  const names = distinct(data.models.map(({ name }) => printable(name)));
  const sets =
    data.imageSets.length > 0
      ? data.imageSets
      : [{ name: '', cells: data.cells, differences: data.differences }];
  const imageSets = sets.map(({ name, cells, differences }) => ({
    name: printable(name),
    columns: columnsOfCells(inOrder(data, cells), inOrder(data, differences)),
  }));
  let start = 0;
  return {
    version: 1,
    ...{ title: printable(data.title), reset: printable(data.reset), intervals: data.intervals },
    baseline: data.baseline === null ? null : index.get(data.baseline)!,
    categories: data.categories.map(({ label, color }) => ({ label: printable(label), color })),
    models: data.models.map(({ id, category, accuracy }, i) => ({
      ...{ id: printable(id), name: names[i]!, accuracy },
      category: category === null ? null : rankOf.get(category)!,
    })),
    panels: data.panels.map(({ name, layers, models }) => {
      const panel = {
        name: printable(name),
        start,
        models: models.map((id) => index.get(id)!),
        layers: layers.map(({ layer, label, stage, kind }) => ({
          ...{ layer: printable(layer), label, stage: printable(stage), kind },
        })),
      };
      start += models.length * layers.length;
      return panel;
    }),
    metrics: metricsOf(imageSets),
    imageSets,
    methods: data.methods,
  };
}

/** One for each cell of each panel, model by model. */
function inOrder<T extends FigureCell | FigureDifference>(
  data: FigureData,
  cells: readonly T[],
): (T | null)[] {
  if (cells.length === 0) return [];
  const cellOf = cellIndex(cells);
  return data.panels.flatMap(({ models, layers }) =>
    models.flatMap((model) => layers.map(({ layer }) => cellOf(model, layer) ?? null)),
  );
}
