/** Means of the parts of a network, by category of models: where in the network training makes the difference. */
import { printable } from '../report/text.js';
import { cellIndex, criticalityOf, type FigureData } from './data.js';
import { legendColumns } from './scatters.js';
import { byCategory, type Drawing, figure, MUTED, type Part, percentAxis, type Style } from './style.js';

export interface StageMean {
  panel: number;
  stage: string;
  /** Null: all models together. */
  category: string | null;
  /** Of models. */
  models: number;
  /** Of the models' means over the stage's layers, percent. */
  mean: number;
  /** Population standard deviation over models. */
  sd: number;
}

/** What stands for all layers of a network. */
export const ALL_LAYERS = 'all layers';

/** By panel, stages in network order and {@link ALL_LAYERS} last, over all models and by category. */
export function stageMeans(data: FigureData): StageMean[] {
  const cellOf = cellIndex(data.cells);
  const categoryOf = new Map(data.models.map(({ id, category }) => [id, category]));
  return data.panels.flatMap(({ layers, models }, panel) => {
    const stages = [...new Set(layers.map(({ stage }) => stage))];
    const parts = [
      ...(stages.length > 1 ? stages : []).map((stage) => ({
        stage,
        members: layers.filter((layer) => layer.stage === stage),
      })),
      { stage: ALL_LAYERS, members: layers },
    ];
    return parts.flatMap(({ stage, members }) => {
      const means = models.flatMap((model) => {
        const values = members.flatMap(({ layer }) => {
          const cell = cellOf(model, layer);
          return cell ? (criticalityOf(cell) ?? []) : [];
        });
        return values.length > 0 ? [{ model, mean: meanOf(values) }] : [];
      });
      return [null, ...data.categories.map(({ id }) => id)].flatMap((category) => {
        const own = means.filter(({ model }) => category === null || categoryOf.get(model) === category);
        if (own.length === 0) return [];
        const mean = meanOf(own.map((one) => one.mean));
        const sd = Math.sqrt(meanOf(own.map((one) => (one.mean - mean) ** 2)));
        return [{ panel, stage, category, models: own.length, mean, sd }];
      });
    });
  });
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export function stageFigures(data: FigureData, style: Style): Drawing[] {
  const all = stageMeans(data);
  return data.panels.map(({ name }, panel) => {
    const isOne = data.panels.length === 1;
    return {
      id: isOne ? 'stages' : `stages-${panel + 1}`,
      title: `Parts of the network${isOne ? '' : `: ${name}`}`,
      caption: 'Mean criticality of the layers in each part, ± standard deviation over models.',
      spec: figure(
        style,
        stagePlot(
          data,
          all.filter((one) => one.panel === panel),
          style,
        ),
      ),
    };
  });
}

function stagePlot(data: FigureData, means: readonly StageMean[], style: Style): Part {
  const isColored = data.categories.length > 0;
  const shown = means.filter(({ category }) => isColored === (category !== null));
  const stages = [...new Set(shown.map(({ stage }) => stage))];
  const used = data.categories.filter(({ id }) => shown.some(({ category }) => category === id));
  const labelOf = new Map(used.map(({ id, label }) => [id, printable(label)]));
  const labels = isColored ? [...labelOf.values()] : ['all models'];
  const colors = isColored ? used.map(({ color }) => color) : [MUTED];
  const values = shown.map(({ stage, category, mean, sd }) => ({
    stage: printable(stage),
    category: category === null ? 'all models' : labelOf.get(category)!,
    mean,
    low: Math.max(0, mean - sd),
    high: Math.min(100, mean + sd),
  }));
  const width = Math.min(style.width - 90, stages.length * Math.max(46, labels.length * 16 + 22));
  const x = {
    field: 'stage',
    type: 'nominal',
    scale: { domain: stages.map(printable), paddingInner: 0.25, paddingOuter: 0.12 },
    axis: { title: null, labelAngle: width / stages.length < 58 ? -45 : 0, grid: false },
  };
  const xOffset = { field: 'category', type: 'nominal', scale: { domain: labels, padding: 0.5 } };
  const legend =
    labels.length > 1 ? { title: null, orient: 'top', columns: legendColumns(labels, width, style) } : null;
  const { color, shape } = byCategory(labels, colors, legend);
  return {
    width,
    height: 300,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 1.6 },
        encoding: { x, xOffset, y: percentAxis('low', 'mean criticality (%)'), y2: { field: 'high' }, color },
      },
      {
        name: 'means',
        mark: { type: 'point', filled: true, size: 70, opacity: 1 },
        encoding: { x, xOffset, y: percentAxis('mean', 'mean criticality (%)'), color, shape },
      },
    ],
  };
}
