/** Figures and data as files, made in the browser; nothing leaves it. */
import { button, el } from './dom.js';

const SCALE = 2;
/** What browsers allow for one side of a canvas. */
const MOST_PIXELS = 16_384;

export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = el('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A name as part of a file's. */
export const fileName = (text: string) =>
  text
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80) || 'figure';

/** The page's own font, for files that are looked at elsewhere. */
const fonts = () =>
  [...(document.head.textContent ?? '').matchAll(/@font-face\{[^}]*\}/g)].map(([face]) => face).join('');

/** A picture of its own: the font inside, and a white ground. */
function svgText(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  for (const name of ['class', 'role', 'style', 'aria-label', 'aria-labelledby']) copy.removeAttribute(name);
  const ground = document.createElementNS(copy.namespaceURI, 'rect');
  for (const [name, value] of [
    ['width', '100%'],
    ['height', '100%'],
    ['fill', '#ffffff'],
  ] as const)
    ground.setAttribute(name, value);
  const style = document.createElementNS(copy.namespaceURI, 'style');
  style.textContent = fonts();
  copy.prepend(style, ground);
  return new XMLSerializer().serializeToString(copy);
}

function saveSvg(name: string, svg: SVGSVGElement): void {
  save(`${fileName(name)}.svg`, new Blob([svgText(svg)], { type: 'image/svg+xml' }));
}

async function savePng(name: string, svg: SVGSVGElement): Promise<void> {
  const [width, height] = [
    Number.parseFloat(svg.getAttribute('width')!),
    Number.parseFloat(svg.getAttribute('height')!),
  ];
  const scale = Math.min(SCALE, MOST_PIXELS / Math.max(width, height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(svg))}`;
  await image.decode();
  const canvas = el('canvas', {
    width: String(Math.round(width * scale)),
    height: String(Math.round(height * scale)),
  });
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  saveCanvas(name, canvas);
}

export function saveCanvas(name: string, canvas: HTMLCanvasElement): void {
  canvas.toBlob((blob) => {
    if (blob) save(`${fileName(name)}.png`, blob);
  }, 'image/png');
}

/** @param drawn - the figure in the colours of paper */
export function downloadButtons(name: string, drawn: () => SVGSVGElement): HTMLElement {
  const label = (format: string) => ({ 'aria-label': `Download ${name} as ${format}` });
  return el(
    'span',
    { class: 'downloads' },
    button('SVG', () => saveSvg(name, drawn()), label('SVG')),
    button('PNG', () => void savePng(name, drawn()), label('PNG')),
  );
}

export const saveText = (name: string, text: string, type: string) => save(name, new Blob([text], { type }));
