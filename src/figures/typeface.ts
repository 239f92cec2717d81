/**
 * The figures' typeface: Arimo, an open font that is as wide as Arial, Helvetica and Liberation Sans. Its files lie in
 * `fonts/`, so that text has one width on every machine, also where no font is installed, and in the viewers of SVG files
 * that have one of the others.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCanvas, GlobalFonts, type SKRSContext2D } from '@napi-rs/canvas';
import * as vega from 'vega';
import { packageRoot } from '../version.js';

const FAMILY = 'Arimo';
export const FONT = `${FAMILY}, 'Liberation Sans', Arial, Helvetica, sans-serif`;

const fontFile = (name: string) => join(packageRoot, 'fonts', name);

let context: SKRSContext2D | null = null;

/** Measures with the font's own numbers; loaded once. */
function measuring(): SKRSContext2D {
  if (context) return context;
  for (const face of ['Regular', 'Bold']) GlobalFonts.registerFromPath(fontFile(`Arimo-${face}.ttf`), FAMILY);
  context = createCanvas(8, 8).getContext('2d');
  return context;
}

/** Width of a line in px. */
export function textWidth(text: string, size: number, isBold = false): number {
  const to = measuring();
  to.font = `${isBold ? 'bold ' : ''}${size}px ${FAMILY}`;
  return to.measureText(text).width;
}

/** What Vega asks for the width of a line: an item of its scene graph. */
interface TextItem {
  font?: string;
  fontSize?: number;
  fontWeight?: string | number;
}

interface TextMetrics {
  width: (item: TextItem, text: unknown) => number;
}

/**
 * Has Vega lay out what is set in this typeface by its true widths. All else keeps Vega's own estimate, so that the other
 * pages' bytes stay what they are.
 */
export function useTypeface(): void {
  measuring();
  // Exported, but not in Vega's types.
  const { textMetrics: metrics } = vega as unknown as { textMetrics: TextMetrics };
  if (Object.hasOwn(metrics.width, 'isTypeface')) return;
  const before = metrics.width;
  // Vega's estimate asks for widths itself, where a text has a limit.
  const asBefore = (item: TextItem, text: unknown): number => {
    metrics.width = before;
    try {
      return before(item, text);
    } finally {
      metrics.width = width;
    }
  };
  const width = (item: TextItem, text: unknown): number => {
    if (!item.font?.startsWith(FAMILY)) return asBefore(item, text);
    const isBold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600;
    return textWidth(String(text ?? ''), item.fontSize ?? 11, isBold);
  };
  Object.assign(width, { isTypeface: true });
  metrics.width = width;
}

const FACES = [
  ['Arimo-Regular-latin.woff2', 400],
  ['Arimo-Bold-latin.woff2', 700],
  ['Arimo-Regular-greek.woff2', 400],
] as const;
/** As the font's makers cut it. */
const GREEK = 'U+0370-0377,U+037A-037F,U+0384-038A,U+038C,U+038E-03A1,U+03A3-03FF';

/** CSS with the font inside: Latin letters, figures, Greek. Other letters come from a font of the same widths. */
export function fontFaces(): string {
  return FACES.map(([name, weight]) => {
    const range = name.includes('greek') ? `unicode-range:${GREEK};` : '';
    const bytes = readFileSync(fontFile(name)).toString('base64');
    return `@font-face{font-family:${FAMILY};font-weight:${weight};${range}src:url(data:font/woff2;base64,${bytes}) format('woff2')}`;
  }).join('');
}
