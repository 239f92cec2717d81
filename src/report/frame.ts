/**
 * What all figures share: fonts, axes, colours and margins. Margins are set, not measured: text widths differ
 * between machines, and the same summary must give the same bytes on each of them.
 */
import type { TopLevelSpec } from 'vega-lite';
import { PALETTE } from './groups.js';
import { columnsOf } from './text.js';

/** Colour of what must stand out; the HTML report's style sheet replaces it in dark mode. */
export const INK = '#222222';
const MUTED = '#6B6B6B';
const GRID = '#E4E4E4';

/** Layer names are set in a monospaced font, so that their width is known. */
const NAME_SIZE = 10.5;
const NAME_PX = 6.4;
const SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const CONFIG = {
  aria: false,
  font: SANS,
  view: { stroke: null },
  axis: {
    domain: false,
    grid: true,
    gridColor: GRID,
    ticks: false,
    labelFlush: false,
    labelColor: MUTED,
    labelFontSize: 11,
    labelPadding: 6,
    titleColor: INK,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 8,
  },
  legend: {
    orient: 'top',
    title: null,
    labelColor: INK,
    labelFontSize: 11,
    labelLimit: 0,
    symbolSize: 70,
    symbolOpacity: 1,
    symbolType: 'circle',
    symbolStrokeWidth: 0,
    columnPadding: 6,
    offset: 8,
  },
};

/**
 * Scale and axis of a percentage: 0-100 in every figure, so that figures can be compared. Never stacked: to
 * stack bars, Vega-Lite writes the names of the series into an expression, and names come from the model.
 */
export function percent(field: string, title: string, orient: 'top' | 'bottom' | 'left'): object {
  return {
    field,
    type: 'quantitative',
    stack: null,
    scale: { domain: [0, 100], nice: false },
    axis: { orient, title, values: [0, 20, 40, 60, 80, 100] },
  };
}

/** A percentage where a percentage axis can show it: intervals may reach beyond 0 and 100. */
export function clamp(value: number | null): number | null {
  return value === null ? null : Math.min(100, Math.max(0, value));
}

/** Height of one layer's row in px: generous for small models, tight for deep ones. */
export function rowHeight(layers: number): number {
  return layers <= 30 ? 20 : layers <= 80 ? 16 : 14;
}

/** The y axis that lists layers from first to last. */
export function layerAxis(labels: readonly string[]): object {
  return {
    field: 'layer',
    type: 'nominal',
    scale: { domain: labels, paddingInner: 0.3, paddingOuter: 0.3 },
    axis: {
      title: null,
      grid: false,
      labelFont: MONO,
      labelFontSize: NAME_SIZE,
      labelColor: INK,
      labelLimit: 0,
      labelOverlap: false,
    },
  };
}

/** Px that the widest of these names takes in the font of {@link layerAxis}. */
export function nameWidth(labels: readonly string[]): number {
  return Math.ceil(labels.reduce((widest, label) => Math.max(widest, columnsOf(label)), 0) * NAME_PX);
}

/** Colour by series, with a legend where there are two or more and no more than the palette holds. */
export function seriesColor(series: readonly string[], width: number): object {
  if (series.length > PALETTE.length) return { value: PALETTE[0] };
  return {
    field: 'series',
    type: 'nominal',
    scale: { domain: series, range: PALETTE.slice(0, series.length) },
    legend: series.length > 1 ? { columns: legendColumns(series, width) } : null,
  };
}

/** Px that the legend of {@link seriesColor} takes above the plot. */
export function legendHeight(series: readonly string[], width: number): number {
  if (series.length < 2 || series.length > PALETTE.length) return 0;
  return 12 + 16 * Math.ceil(series.length / legendColumns(series, width));
}

/** Vega reserves 0.8 em for a character of all but the last column, which needs but its true width. */
function legendColumns(series: readonly string[], width: number): number {
  const widest = series.reduce((most, name) => Math.max(most, columnsOf(name)), 0);
  return Math.max(
    1,
    Math.min(series.length, Math.floor(1 + (width - widest * 6 - 24) / (widest * 8.8 + 24))),
  );
}

/** A plot's extent and the space around it, in px. */
export interface Size {
  width: number;
  height: number;
  padding: { left: number; right: number; top: number; bottom: number };
}

/** A layered chart of a fixed size in the shared style. */
export function chart(size: Size, data: readonly object[], layer: readonly object[]): TopLevelSpec {
  // Built from plain objects: Vega-Lite's types are unions too large to be of help here; compile() checks.
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    ...size,
    autosize: { type: 'none' },
    background: null,
    config: CONFIG,
    data: { values: data },
    layer,
  } as unknown as TopLevelSpec;
}
