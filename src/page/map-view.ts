/** The map on the page: a canvas as large as what is seen of it, in a box that scrolls; pointer and keys. */
import { themeOfPage } from './colours.js';
import { el, oncePerFrame } from './dom.js';
import { type Cursor, drawMap, mapSummary } from './map-drawing.js';
import { areaOf, type Hit, hitAt, layoutOf, type MapLayout, type Window } from './map-layout.js';
import { CanvasSurface } from './surface.js';
import { hideTip, showTip } from './tooltip.js';
import { cellLines, marginLines, type Shown } from './view.js';

/** Taller ones scroll in a box of their own. */
const TALLEST = 1300;

/** What was chosen: indices within the panel. */
export interface Selection {
  model: number | null;
  layer: number | null;
}

export class MapView {
  readonly element: HTMLElement;
  private readonly box: HTMLElement;
  private readonly space = el('div', { class: 'map-space' });
  private readonly canvas = el('canvas');
  private readonly live = el('p', { class: 'spoken', 'aria-live': 'polite' });
  private readonly draw = oncePerFrame(() => this.paint());
  private shown: Shown | null = null;
  private layout: MapLayout | null = null;
  private cursor: Cursor | null = null;

  constructor(private readonly onSelect: (selection: Selection) => void) {
    this.space.append(this.canvas);
    this.box = el('div', { class: 'map-box', tabindex: '0', role: 'application' }, this.space);
    this.element = el('div', { class: 'map' }, this.box, this.live);
    this.box.addEventListener('scroll', this.draw, { passive: true });
    this.box.addEventListener('keydown', (event) => this.onKey(event));
    this.box.addEventListener('blur', () => this.moveTo(null));
    this.canvas.addEventListener('pointermove', (event) => this.onPointer(event));
    this.canvas.addEventListener('pointerleave', hideTip);
    this.canvas.addEventListener('click', (event) => this.select(this.hit(event)));
    new ResizeObserver(() => this.measure()).observe(this.element);
  }

  show(shown: Shown): void {
    this.shown = shown;
    this.cursor = null;
    this.box.setAttribute(
      'aria-label',
      `${mapSummary(shown)} Arrow keys go from cell to cell, Enter shows the profiles of its model and layer. The table below has the same numbers.`,
    );
    this.measure();
  }

  /** Colours of the page may have changed. */
  redraw(): void {
    this.draw();
  }

  private measure(): void {
    if (!this.shown) return;
    this.box.classList.remove('is-tall');
    const fit = () => {
      this.layout = layoutOf(this.shown!, this.box.clientWidth);
      this.space.style.width = `${this.layout.width}px`;
      this.space.style.height = `${this.layout.height}px`;
    };
    fit();
    const isTall = this.layout!.height > TALLEST;
    this.box.classList.toggle('is-tall', isTall);
    // A scroll bar takes some of the width.
    if (isTall) fit();
    this.draw();
  }

  private get window(): Window {
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.box;
    return { left: scrollLeft, top: scrollTop, width: clientWidth, height: clientHeight };
  }

  private paint(): void {
    if (!this.shown || !this.layout) return;
    const { canvas, window: seen } = this;
    const density = Math.max(1, devicePixelRatio);
    const [width, height] = [Math.round(seen.width * density), Math.round(seen.height * density)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${seen.width}px`;
      canvas.style.height = `${seen.height}px`;
    }
    const context = canvas.getContext('2d')!;
    context.setTransform(density, 0, 0, density, 0, 0);
    drawMap(new CanvasSurface(context), this.shown, this.layout, themeOfPage(), seen, this.cursor);
  }

  private hit(event: MouseEvent): Hit | null {
    if (!this.shown || !this.layout) return null;
    const { left, top } = this.canvas.getBoundingClientRect();
    return hitAt(this.shown, this.layout, this.window, event.clientX - left, event.clientY - top);
  }

  private onPointer(event: PointerEvent): void {
    const hit = this.hit(event);
    this.canvas.style.cursor = hit ? 'pointer' : '';
    if (!hit) {
      hideTip();
      return;
    }
    showTip(event.clientX, event.clientY, ...this.words(hit));
  }

  private words(hit: Hit): [title: string[], lines: string[]] {
    const { rows, columns } = this.shown!;
    if (hit.kind === 'row') return [[rows[hit.row]!.model.name], marginLines(this.shown!, rows[hit.row]!)];
    const column = columns[hit.column]!;
    if (hit.kind === 'column') return [[column.layer.label], marginLines(this.shown!, column)];
    const row = rows[hit.row]!;
    return [[row.model.name, column.layer.label], cellLines(this.shown!, row.at, column.at)];
  }

  private select(hit: Hit | null): void {
    if (!hit) return;
    const { rows, columns } = this.shown!;
    this.onSelect({
      model: hit.kind === 'column' ? null : rows[hit.row]!.at,
      layer: hit.kind === 'row' ? null : columns[hit.column]!.at,
    });
  }

  private onKey(event: KeyboardEvent): void {
    if (!this.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = { row: this.shown.rows.length - 1, column: this.shown.columns.length - 1 };
    if (last.row < 0 || last.column < 0) return;
    const { row, column } = this.cursor ?? { row: 0, column: -1 };
    const moves: Record<string, () => [number, number]> = {
      ArrowRight: () => [row, column + 1],
      ArrowLeft: () => [row, column - 1],
      ArrowDown: () => [row + (this.cursor ? 1 : 0), column],
      ArrowUp: () => [row - 1, column],
      PageDown: () => [row + 10, column],
      PageUp: () => [row - 10, column],
      Home: () => [row, 0],
      End: () => [row, last.column],
    };
    if (event.key === 'Enter' && this.cursor) this.select({ kind: 'cell', ...this.cursor });
    else if (event.key === 'Escape') this.moveTo(null);
    else if (moves[event.key]) {
      const [toRow, toColumn] = moves[event.key]!();
      const within = (value: number, most: number) => Math.max(0, Math.min(most, value));
      this.moveTo({ row: within(toRow, last.row), column: within(toColumn, last.column) });
    } else return;
    event.preventDefault();
  }

  private moveTo(cursor: Cursor | null): void {
    this.cursor = cursor;
    hideTip();
    if (cursor) {
      this.reveal(cursor);
      const [title, lines] = this.words({ kind: 'cell', ...cursor });
      this.live.textContent = [...title, ...lines].join(', ');
      const { left, top } = this.canvas.getBoundingClientRect();
      const area = areaOf(this.layout!, this.window);
      const x = left + area.left - this.box.scrollLeft + (cursor.column + 1) * this.layout!.stepX;
      const y = top + area.top - this.box.scrollTop + (cursor.row + 1) * this.layout!.stepY;
      showTip(x, y, title, lines);
    }
    this.draw();
  }

  /** Scrolls the box until the cell is seen. */
  private reveal({ row, column }: Cursor): void {
    const { layout, box } = this;
    const { left, top, right, bottom } = areaOf(layout!, this.window);
    const into = (scroll: number, at: number, size: number, room: number) =>
      at < scroll ? at : at + size > scroll + room ? at + size - room : scroll;
    box.scrollLeft = into(box.scrollLeft, column * layout!.stepX, layout!.stepX, right - left);
    box.scrollTop = into(box.scrollTop, row * layout!.stepY, layout!.stepY, bottom - top);
  }
}
