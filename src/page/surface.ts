/** What figures are drawn on: a canvas for the screen and PNG, an SVG element for the screen and files. Sizes in px. */

export const FONT = "Arimo, 'Liberation Sans', Arial, Helvetica, sans-serif";

export interface TextStyle {
  size: number;
  fill: string;
  align?: 'left' | 'center' | 'right';
  /** Reads from bottom to top. */
  isUpright?: boolean;
  isBold?: boolean;
}

export interface Surface {
  rect(x: number, y: number, width: number, height: number, fill: string, stroke?: string): void;
  line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number, dash?: number): void;
  /** Vertically centred on y. */
  text(x: number, y: number, text: string, style: TextStyle): void;
  /** Closed; an outline where there is no fill. */
  polygon(points: readonly (readonly [number, number])[], fill: string | null, stroke: string | null): void;
  circle(x: number, y: number, radius: number, fill: string): void;
  clipped(x: number, y: number, width: number, height: number, draw: () => void): void;
}

const fontOf = ({ size, isBold }: Pick<TextStyle, 'size' | 'isBold'>) =>
  `${isBold ? 'bold ' : ''}${size}px ${FONT}`;

let measuring: CanvasRenderingContext2D | null = null;

export function textWidth(text: string, size: number): number {
  measuring ??= document.createElement('canvas').getContext('2d')!;
  measuring.font = fontOf({ size });
  return measuring.measureText(text).width;
}

/** With … in place of its middle where it is wider. */
export function fitted(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const letters = [...text];
  let [least, most] = [0, letters.length];
  const cut = (kept: number) =>
    `${letters.slice(0, Math.floor(kept / 2)).join('')}…${letters.slice(letters.length - Math.ceil(kept / 2)).join('')}`;
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (textWidth(cut(middle), size) <= width) least = middle;
    else most = middle - 1;
  }
  return cut(least);
}

export class CanvasSurface implements Surface {
  constructor(private readonly context: CanvasRenderingContext2D) {}

  rect(x: number, y: number, width: number, height: number, fill: string, stroke?: string): void {
    this.context.fillStyle = fill;
    this.context.fillRect(x, y, width, height);
    if (stroke === undefined) return;
    this.context.strokeStyle = stroke;
    this.context.lineWidth = 2;
    this.context.strokeRect(x, y, width, height);
  }

  line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number, dash = 0): void {
    const { context } = this;
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.setLineDash(dash > 0 ? [dash, dash] : []);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const { context } = this;
    context.font = fontOf(style);
    context.fillStyle = style.fill;
    context.textAlign = style.align ?? 'left';
    context.textBaseline = 'middle';
    if (!style.isUpright) {
      context.fillText(text, x, y);
      return;
    }
    context.save();
    context.translate(x, y);
    context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0);
    context.restore();
  }

  polygon(points: readonly (readonly [number, number])[], fill: string | null, stroke: string | null): void {
    const { context } = this;
    context.beginPath();
    for (const [i, [x, y]] of points.entries()) i === 0 ? context.moveTo(x, y) : context.lineTo(x, y);
    context.closePath();
    if (fill !== null) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke === null) return;
    context.strokeStyle = stroke;
    context.lineWidth = 0.9;
    context.setLineDash([]);
    context.stroke();
  }

  circle(x: number, y: number, radius: number, fill: string): void {
    this.context.fillStyle = fill;
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fill();
  }

  clipped(x: number, y: number, width: number, height: number, draw: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }
}

const SVG = 'http://www.w3.org/2000/svg';
const short = (value: number) => String(Math.round(value * 100) / 100);
let clips = 0;

export class SvgSurface implements Surface {
  readonly root: SVGSVGElement;
  private into: Element;

  constructor(width: number, height: number) {
    this.root = document.createElementNS(SVG, 'svg');
    const size = {
      width: short(width),
      height: short(height),
      viewBox: `0 0 ${short(width)} ${short(height)}`,
    };
    for (const [name, value] of Object.entries(size)) this.root.setAttribute(name, value);
    this.into = this.root;
  }

  private add(tag: string, attributes: Readonly<Record<string, string | number>>): Element {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, typeof value === 'number' ? short(value) : value);
    }
    this.into.append(made);
    return made;
  }

  rect(x: number, y: number, width: number, height: number, fill: string, stroke?: string): void {
    const made = this.add('rect', { x, y, width, height, fill });
    if (stroke !== undefined) made.setAttribute('stroke', stroke);
  }

  line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number, dash = 0): void {
    const dashes: Record<string, string> = dash > 0 ? { 'stroke-dasharray': `${dash} ${dash}` } : {};
    this.add('line', { x1, y1, x2, y2, stroke, 'stroke-width': width, ...dashes });
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const anchor = { left: 'start', center: 'middle', right: 'end' }[style.align ?? 'left'];
    // A little below the middle: programs differ in what a middle of letters is.
    const down = style.size * 0.35;
    const place: Record<string, string | number> = style.isUpright
      ? { transform: `translate(${short(x + down)} ${short(y)}) rotate(-90)` }
      : { x, y: y + down };
    this.add('text', {
      ...place,
      fill: style.fill,
      'font-family': FONT,
      'font-size': style.size,
      'text-anchor': anchor,
      ...(style.isBold ? { 'font-weight': 'bold' } : {}),
    }).textContent = text;
  }

  polygon(points: readonly (readonly [number, number])[], fill: string | null, stroke: string | null): void {
    const path = points.map(([x, y]) => `${short(x)},${short(y)}`).join(' ');
    const line: Record<string, string> = stroke === null ? {} : { stroke, 'stroke-width': '0.9' };
    this.add('polygon', { points: path, fill: fill ?? 'none', ...line });
  }

  circle(x: number, y: number, radius: number, fill: string): void {
    this.add('circle', { cx: x, cy: y, r: radius, fill });
  }

  clipped(x: number, y: number, width: number, height: number, draw: () => void): void {
    const id = `part-clip-${clips++}`;
    const outer = this.into;
    const clip = this.add('clipPath', { id });
    this.into = clip;
    this.add('rect', { x, y, width, height });
    this.into = outer;
    this.into = this.add('g', { 'clip-path': `url(#${id})` });
    draw();
    this.into = outer;
  }
}
