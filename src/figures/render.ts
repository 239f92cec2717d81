/**
 * Specifications as files: SVG, PNG and PDF. All three come from one scene that Vega has laid out with the typeface's own
 * widths. Skia, through `@napi-rs/canvas`, draws the last two; its PDF is vectors, with what is used of the font inside.
 */
import { createCanvas, PDFDocument } from '@napi-rs/canvas';
import { type Loader, loader, parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { CritmapError } from '../errors.js';
import { fontFaces, useTypeface } from './typeface.js';

export interface RenderOptions {
  /**
   * Width in mm; default as the specification has it, at 96 px an inch. A figure that is much narrower keeps its size, so
   * that text is as large in all figures.
   */
  widthMm?: number | undefined;
  /** Without a ground. */
  isTransparent?: boolean | undefined;
  /** Colour of the ground (default: white). */
  ground?: string | undefined;
  /** Of a document's properties. */
  title?: string | undefined;
}

const PX_PER_INCH = 96;
const PX_PER_MM = PX_PER_INCH / 25.4;
const POINTS_PER_PX = 72 / PX_PER_INCH;
/** Of a PNG file with a width in mm; without one it has two pixels for each. */
const DOTS_PER_INCH = 300;
const DENSITY = 2;
/** Skia's own limit on one side of a picture. */
const MOST_PIXELS = 16_384;

/** A loader that loads nothing: a figure carries its data. */
function noLoader(): Loader {
  const refuse = (): Promise<never> =>
    Promise.reject(new CritmapError('ERR_OPTION', 'a figure must not load anything from outside'));
  return Object.assign(loader(), { load: refuse, http: refuse, file: refuse });
}

/** A laid-out figure, and how large it is in px. */
class Scene {
  private constructor(
    private readonly view: View,
    readonly svg: string,
    readonly width: number,
    readonly height: number,
  ) {}

  static async of(spec: TopLevelSpec, background: string | null, prefix: string): Promise<Scene> {
    useTypeface();
    const view = new View(parse(compile(spec).spec), { renderer: 'none', loader: noLoader() });
    if (background !== null) view.background(background);
    const svg = withOwnIds(await view.toSVG(), prefix);
    const [, width, height] = /^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
    return new Scene(view, svg, Number(width), Number(height));
  }

  /** Draws into a context that is as large. */
  async draw(context: unknown, scale: number): Promise<void> {
    await this.view.toCanvas(scale, { externalContext: context } as never);
  }

  end(): void {
    this.view.finalize();
  }
}

/** Vega counts gradients and clips as long as a process lives. */
function withOwnIds(svg: string, prefix: string): string {
  const ids = new Map<string, string>();
  const own = (id: string): string => {
    if (!ids.has(id)) ids.set(id, `${prefix}-${ids.size}`);
    return ids.get(id)!;
  };
  return svg
    .replace(/ id="((?:gradient_|clip)\d+)"/g, (_, id: string) => ` id="${own(id)}"`)
    .replace(/"url\(#((?:gradient_|clip)\d+)\)"/g, (_, id: string) => `"url(#${own(id)})"`);
}

async function withScene<T>(
  spec: TopLevelSpec,
  background: string | null,
  use: (scene: Scene) => Promise<T> | T,
  prefix = 'critmap',
): Promise<T> {
  const scene = await Scene.of(spec, background, prefix);
  try {
    return await use(scene);
  } finally {
    scene.end();
  }
}

const groundOf = ({ isTransparent, ground = 'white' }: RenderOptions) => (isTransparent ? null : ground);
/** Part of the width from which a figure is meant to fill it. */
const FILLS = 0.85;

/** How much larger than the specification has it. */
function scaleOf({ widthMm }: RenderOptions, width: number): number {
  const wanted = widthMm === undefined ? width : widthMm * PX_PER_MM;
  return width < FILLS * wanted ? 1 : wanted / width;
}

/**
 * One `<svg>` element without a ground, for a page that has the font.
 * @param prefix of its ids, which a page must have once only
 */
export function inlineSvg(spec: TopLevelSpec, prefix?: string): Promise<string> {
  return withScene(spec, null, ({ svg }) => svg, prefix);
}

/** A file with the font inside; text stays text. */
export function svgFile(spec: TopLevelSpec, options: RenderOptions = {}): Promise<string> {
  return withScene(spec, groundOf(options), ({ svg, width, height }) => {
    const scale = scaleOf(options, width);
    const mm = (px: number) => `${round((px * scale) / PX_PER_MM)}mm`;
    const size =
      options.widthMm === undefined
        ? `width="${width}" height="${height}"`
        : `width="${mm(width)}" height="${mm(height)}"`;
    return `${svg
      .replace(/width="[\d.]+" height="[\d.]+"/, size)
      .replace('>', `><style>${fontFaces()}</style>`)}\n`;
  });
}

export function pngFile(spec: TopLevelSpec, options: RenderOptions = {}): Promise<Uint8Array> {
  return withScene(spec, groundOf(options), async (scene) => {
    const { width, height } = scene;
    const wanted =
      options.widthMm === undefined ? DENSITY : (scaleOf(options, width) * DOTS_PER_INCH) / PX_PER_INCH;
    const scale = Math.min(wanted, MOST_PIXELS / Math.max(width, height));
    const canvas = createCanvas(Math.round(width * scale), Math.round(height * scale));
    await scene.draw(canvas.getContext('2d'), scale);
    return canvas.toBuffer('image/png');
  });
}

/** A page as large as the figure. */
export function pdfFile(spec: TopLevelSpec, options: RenderOptions = {}): Promise<Uint8Array> {
  return withScene(spec, groundOf(options), async (scene) => {
    const scale = scaleOf(options, scene.width) * POINTS_PER_PX;
    const document = new PDFDocument({ title: options.title ?? '', creator: 'critmap' });
    await scene.draw(document.beginPage(scene.width * scale, scene.height * scale), scale);
    document.endPage();
    return document.close();
  });
}

const round = (value: number) => Math.round(value * 1000) / 1000;
