/** The page's data, unpacked when they are asked for. */
import type { PackedColumn, PageData, PageMetric, PagePanel } from './page-data.js';

const ALPHA = 0.05;

export interface Place {
  panel: PagePanel;
  /** Index within the panel. */
  model: number;
  layer: number;
}

export const cellOf = ({ panel, model, layer }: Place) => panel.start + model * panel.layers.length + layer;

export class Dataset {
  private readonly unpacked = new Map<string, Float32Array | null>();
  private readonly cells: number;

  constructor(readonly page: PageData) {
    this.cells = page.panels.reduce((sum, { models, layers }) => sum + models.length * layers.length, 0);
  }

  /** @returns null where the set of images has no such column */
  column(imageSet: number, name: string): Float32Array | null {
    const key = `${imageSet} ${name}`;
    const known = this.unpacked.get(key);
    if (known !== undefined) return known;
    const { columns } = this.page.imageSets[imageSet]!;
    const made = Object.hasOwn(columns, name) ? unpack(columns[name]!, this.cells) : null;
    this.unpacked.set(key, made);
    return made;
  }

  columnNames(imageSet: number): string[] {
    return Object.keys(this.page.imageSets[imageSet]!.columns);
  }

  /** NaN where it was not measured. */
  at(imageSet: number, name: string, cell: number): number {
    return this.column(imageSet, name)?.[cell] ?? Number.NaN;
  }

  /** Whether differences to this model were tested. */
  isTested(metric: PageMetric, compare: number | null, imageSet: number): boolean {
    const { baseline } = this.page;
    return (
      compare !== null &&
      compare === baseline &&
      metric.id === 'criticality' &&
      this.column(imageSet, 'p') !== null
    );
  }

  /** What survives of a tested difference: Holm's correction, Benjamini and Hochberg's, or nothing. */
  survives(imageSet: number, cell: number): 'holm' | 'bh' | null {
    if (this.at(imageSet, 'pHolm', cell) < ALPHA) return 'holm';
    return this.at(imageSet, 'pBh', cell) < ALPHA ? 'bh' : null;
  }
}

function unpack(packed: PackedColumn, cells: number): Float32Array {
  if (typeof packed === 'number') return new Float32Array(cells).fill(packed);
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** As few digits as tell a float32 from its neighbours. */
export const plain = (value: number): number | null =>
  Number.isFinite(value) ? Number(value.toPrecision(7)) : null;
