/** The same numbers as a table: models, layers or cells; sorted by any column, a part of the rows at a time. */
import { cellOf } from './dataset.js';
import { button, el, labelled, select } from './dom.js';
import type { Selection } from './map-view.js';
import { DASH, fixed, grouped, probability } from './numbers.js';
import { intervalAt, type Shown, valueAt } from './view.js';

const ROWS = 50;

type Value = string | number | null;

interface TableColumn<T> {
  title: string;
  value: (row: T) => Value;
  /** Of numbers. */
  text?: (value: number) => string;
}

interface Content {
  columns: TableColumn<number>[];
  /** How many rows there are; columns' values are of their numbers. */
  rows: number;
  select: (row: number) => Selection;
}

type Kind = 'models' | 'layers' | 'cells';

const known = (value: number): number | null => (Number.isFinite(value) ? value : null);

function modelsContent(shown: Shown): Content {
  const { rows, columns, data, choices } = shown;
  const { decimals } = choices.metric;
  const text = (value: number) => fixed(value, decimals);
  const extremes = rows.map(({ at }) => {
    const values = columns.map((column) => ({
      label: column.layer.label,
      value: valueAt(shown, at, column.at),
    }));
    const there = values.filter(({ value }) => Number.isFinite(value)).sort((a, b) => a.value - b.value);
    return { least: there[0]?.label ?? DASH, most: there.at(-1)?.label ?? DASH };
  });
  const hasCategories = data.page.categories.length > 0;
  const hasAccuracy = rows.some(({ model }) => model.accuracy !== null);
  return {
    rows: rows.length,
    select: (row) => ({ model: rows[row]!.at, layer: null }),
    columns: [
      { title: 'model', value: (row) => rows[row]!.model.name },
      ...(hasCategories
        ? [
            {
              title: 'category',
              value: (row: number) => {
                const { category } = rows[row]!.model;
                return category === null ? DASH : data.page.categories[category]!.label;
              },
            },
          ]
        : []),
      ...(hasAccuracy
        ? [
            {
              title: 'accuracy %',
              value: (row: number) => rows[row]!.model.accuracy,
              text: (v: number) => fixed(v, 2),
            },
          ]
        : []),
      { title: `mean ${shown.title}`, value: (row) => known(rows[row]!.mean), text },
      { title: 'sd of layers', value: (row) => known(rows[row]!.sd), text },
      { title: 'least', value: (row) => extremes[row]!.least },
      { title: 'most', value: (row) => extremes[row]!.most },
    ],
  };
}

function layersContent(shown: Shown): Content {
  const { columns, choices } = shown;
  const text = (value: number) => fixed(value, choices.metric.decimals);
  const hasKinds = columns.some(({ layer }) => layer.kind !== null);
  return {
    rows: columns.length,
    select: (row) => ({ model: null, layer: columns[row]!.at }),
    columns: [
      { title: 'layer', value: (row) => columns[row]!.layer.label },
      { title: 'number', value: (row) => columns[row]!.at + 1, text: String },
      { title: 'stage', value: (row) => columns[row]!.layer.stage },
      ...(hasKinds ? [{ title: 'kind', value: (row: number) => columns[row]!.layer.kind ?? DASH }] : []),
      { title: `mean ${shown.title}`, value: (row) => known(columns[row]!.mean), text },
      { title: 'sd of models', value: (row) => known(columns[row]!.sd), text },
    ],
  };
}

function cellsContent(shown: Shown): Content {
  const { rows, columns, data, choices, panel } = shown;
  const { metric, imageSet, compare } = choices;
  const text = (value: number) => fixed(value, metric.decimals);
  const count = columns.length;
  const at = (row: number) => [rows[Math.floor(row / count)]!, columns[row % count]!] as const;
  const of = (name: string) => (row: number) => {
    const [model, layer] = at(row);
    return known(data.at(imageSet, name, cellOf({ panel, model: model.at, layer: layer.at })));
  };
  const interval = (end: 0 | 1) => (row: number) => {
    const [model, layer] = at(row);
    return known(intervalAt(shown, model.at, layer.at)[end]);
  };
  const isTested = data.isTested(metric, compare, imageSet);
  const hasIntervals = compare === null ? data.column(imageSet, `${metric.id}.low`) !== null : isTested;
  return {
    rows: rows.length * count,
    select: (row) => ({ model: at(row)[0].at, layer: at(row)[1].at }),
    columns: [
      { title: 'model', value: (row) => at(row)[0].model.name },
      { title: 'layer', value: (row) => at(row)[1].layer.label },
      {
        title: shown.title,
        value: (row) => known(valueAt(shown, at(row)[0].at, at(row)[1].at)),
        text,
      },
      ...(hasIntervals
        ? [
            { title: 'from', value: interval(0), text },
            { title: 'to', value: interval(1), text },
          ]
        : []),
      ...(isTested
        ? [
            { title: 'p (Holm)', value: of('pHolm'), text: probability },
            { title: 'p (BH)', value: of('pBh'), text: probability },
          ]
        : []),
      ...(['draws', 'images'] as const).flatMap((name) =>
        data.column(imageSet, name) === null ? [] : [{ title: name, value: of(name), text: grouped }],
      ),
    ],
  };
}

const contents = { models: modelsContent, layers: layersContent, cells: cellsContent };

export class TableView {
  readonly element = el('div', { class: 'numbers' });
  private readonly table = el('table');
  private readonly count = el('span', { class: 'count', 'aria-live': 'polite' });
  private readonly back = button('Previous', () => this.turn(-1));
  private readonly on = button('Next', () => this.turn(1));
  private kind: Kind = 'models';
  private shown: Shown | null = null;
  private content: Content | null = null;
  private order: number[] = [];
  private sorted: { column: number; isDown: boolean } | null = null;
  private start = 0;

  constructor(private readonly onSelect: (selection: Selection) => void) {
    const kinds = [
      ['models', 'models'],
      ['layers', 'layers'],
      ['cells', 'every layer of every model'],
    ] as const;
    const choice = select(kinds, this.kind, (value) => {
      this.kind = value as Kind;
      this.sorted = null;
      this.fill();
    });
    const pages = el(
      'div',
      { class: 'pages', role: 'group', 'aria-label': 'Rows of the table' },
      this.back,
      this.on,
      this.count,
    );
    this.element.append(
      el('h3', {}, 'Numbers'),
      el('div', { class: 'controls' }, labelled('Rows are', choice), pages),
      el(
        'div',
        { class: 'scroll', role: 'region', 'aria-label': 'Table of numbers', tabindex: '0' },
        this.table,
      ),
    );
  }

  show(shown: Shown): void {
    this.shown = shown;
    this.fill();
  }

  private fill(): void {
    this.content = contents[this.kind](this.shown!);
    if (this.sorted && this.sorted.column >= this.content.columns.length) this.sorted = null;
    this.start = 0;
    this.sort();
  }

  private sort(): void {
    const { columns, rows } = this.content!;
    this.order = Array.from({ length: rows }, (_, i) => i);
    if (this.sorted) {
      const { column, isDown } = this.sorted;
      const values = this.order.map((row) => columns[column]!.value(row));
      const sign = isDown ? -1 : 1;
      this.order.sort((a, b) => {
        const [x, y] = [values[a]!, values[b]!];
        if (x === null || y === null) return Number(x === null) - Number(y === null);
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
    }
    this.render();
  }

  private turn(pages: number): void {
    this.start = Math.max(0, this.start + pages * ROWS);
    this.render();
  }

  private render(): void {
    const { columns, rows, select: selectionOf } = this.content!;
    const isNumber = columns.map(({ text }) => text !== undefined);
    const heads = columns.map(({ title }, column) => {
      const head = el('th', { scope: 'col', class: isNumber[column] ? 'number' : '' });
      if (this.sorted?.column === column)
        head.setAttribute('aria-sort', this.sorted.isDown ? 'descending' : 'ascending');
      head.append(button(title, () => this.sortBy(column)));
      return head;
    });
    const end = Math.min(rows, this.start + ROWS);
    const lines = this.order.slice(this.start, end).map((row) => {
      const cells = columns.map(({ value, text }, column) => {
        const found = value(row);
        const shown = found === null ? DASH : typeof found === 'number' ? text!(found) : found;
        if (column > 0) return el('td', isNumber[column] ? { class: 'number' } : {}, shown);
        const chosen = button(shown, () => this.onSelect(selectionOf(row)), { class: 'name' });
        return el('th', { scope: 'row' }, chosen);
      });
      return el('tr', {}, ...cells);
    });
    const head = el('thead', {}, el('tr', {}, ...heads));
    const focused = this.focusedHead();
    this.table.replaceChildren(el('caption', {}, this.caption()), head, el('tbody', {}, ...lines));
    if (focused >= 0) head.querySelectorAll('button')[focused]?.focus();
    this.count.textContent =
      rows === 0 ? 'no rows' : `${grouped(this.start + 1)}–${grouped(end)} of ${grouped(rows)}`;
    this.back.disabled = this.start === 0;
    this.on.disabled = end >= rows;
  }

  /** The title that has the keyboard, since titles are made anew. */
  private focusedHead(): number {
    return [...this.table.querySelectorAll('thead button')].indexOf(document.activeElement as Element);
  }

  private caption(): string {
    const { choices, data } = this.shown!;
    const to = choices.compare === null ? '' : `, minus that of ${data.page.models[choices.compare]!.name}`;
    return `${this.shown!.title}${to}. A name opens its profile.`;
  }

  private sortBy(column: number): void {
    const first = this.content!.columns[column]!.text !== undefined;
    if (this.sorted?.column !== column) this.sorted = { column, isDown: first };
    else if (this.sorted.isDown === first) this.sorted = { column, isDown: !first };
    else this.sorted = null;
    this.start = 0;
    this.sort();
  }
}
