/** What all figures share: sizes, colours, axes. Light on paper; the page's style sheet replaces the colours in the dark. */
import type { TopLevelSpec } from 'vega-lite';
import { DEFAULT_STYLE, type Style } from './sizes.js';
import { FONT } from './typeface.js';

/** The page's style sheet knows these four by their values. */
export const INK = '#222222';
export const MUTED = '#6B6B6B';
export const GRID = '#E4E4E4';
export const PAPER = '#FFFFFF';

export { DEFAULT_STYLE, type Style };

/** A figure, and what a reader is told about it. */
export interface Drawing {
  /** Stable, for anchors and file names. */
  id: string;
  title: string;
  caption: string;
  spec: TopLevelSpec;
}

export const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'] as const;

/** Vega-Lite's own types are unions too large to be of help; compile() checks. */
export type Part = Record<string, unknown>;

/** A whole specification from its parts. */
export function figure(style: Style, data: Part): TopLevelSpec {
  const { fontSize } = style;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    padding: 4,
    ...data,
    config: {
      aria: false,
      font: FONT,
      view: { stroke: null },
      concat: { spacing: 8 },
      axis: {
        domain: false,
        ticks: false,
        gridColor: GRID,
        labelColor: INK,
        labelFontSize: fontSize,
        labelFont: FONT,
        labelPadding: 4,
        labelLimit: 0,
        titleColor: INK,
        titleFont: FONT,
        titleFontSize: fontSize + 1,
        titleFontWeight: 'normal',
        titlePadding: 8,
      },
      header: { labelColor: INK, labelFontSize: fontSize, title: null },
      legend: {
        labelColor: INK,
        labelFontSize: fontSize,
        labelFont: FONT,
        labelLimit: 0,
        titleColor: INK,
        titleFontSize: fontSize,
        titleFont: FONT,
        titleFontWeight: 'normal',
        titleLimit: 0,
        symbolSize: 60,
        symbolOpacity: 1,
        symbolStrokeWidth: 0,
        columnPadding: 12,
      },
      text: { font: FONT, fontSize, fill: INK },
    },
  } as unknown as TopLevelSpec;
}

/** A number from 0 to 100 on an axis. */
export function percentAxis(field: string, title: string | null): Part {
  return {
    field,
    type: 'quantitative',
    scale: { domain: [0, 100], nice: false },
    axis: { title, values: [0, 20, 40, 60, 80, 100] },
  };
}

/** Colour and shape by category: shape tells them apart where there is no colour. */
export function byCategory(
  labels: readonly string[],
  colors: readonly string[],
  legend: Part | null,
): { color: Part; shape: Part } {
  const field = { field: 'category', type: 'nominal', legend };
  const shapes = labels.map((_, i) => SHAPES[i % SHAPES.length]!);
  return {
    color: { ...field, scale: { domain: labels, range: colors } },
    shape: { ...field, scale: { domain: labels, range: shapes } },
  };
}
