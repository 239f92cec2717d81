/** Figures for a dark ground: slides, and pages that follow the reader's setting. */
import type { TopLevelSpec } from 'vega-lite';
import { GRID, INK, MUTED, PAPER } from './style.js';

/** As the style sheet of the page has them. */
export const DARK_PAPER = '#16181b';
const DARK = new Map([
  [INK, '#e8eaed'],
  [MUTED, '#a0a7af'],
  [GRID, '#2c3035'],
  [PAPER, DARK_PAPER],
]);

/** The figure with light text on {@link DARK_PAPER}; its data and what is coloured by them stay. */
export function darkened(spec: TopLevelSpec): TopLevelSpec {
  const of = (value: unknown): unknown => {
    if (typeof value === 'string') return DARK.get(value) ?? value;
    if (Array.isArray(value)) return value.map(of);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, key === 'values' ? part : of(part)]),
    );
  };
  return of(spec) as TopLevelSpec;
}
