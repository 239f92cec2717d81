/** What the page has without its script, made useful: tables that sort and filter, still figures to download. */
import { button, el, labelled, search } from './dom.js';
import { downloadButtons } from './downloads.js';

/** Rows from which a table gets a filter. */
const MANY = 12;

/** Column titles become buttons that sort; values come from `data-value`, else from the text. */
export function sortable(table: HTMLTableElement): void {
  const body = table.tBodies[0]!;
  const original = [...body.rows];
  const heads = [...table.tHead!.rows[0]!.cells];
  for (const [column, head] of heads.entries()) {
    const sort = () => {
      const next: Record<string, string | null> = { descending: 'ascending', ascending: null };
      const before = head.getAttribute('aria-sort');
      const order = before === null ? 'descending' : next[before]!;
      for (const other of heads) other.removeAttribute('aria-sort');
      if (order) head.setAttribute('aria-sort', order);
      const key = (row: HTMLTableRowElement) => {
        const cell = row.cells[column]!;
        return cell.dataset.value ?? cell.textContent ?? '';
      };
      const sign = order === 'ascending' ? 1 : -1;
      const isNumber = head.classList.contains('number');
      const compare = (a: HTMLTableRowElement, b: HTMLTableRowElement) => {
        const [x, y] = [key(a), key(b)];
        if (x === '' || y === '') return Number(x === '') - Number(y === '');
        return sign * (isNumber ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0);
      };
      for (const row of order ? [...original].sort(compare) : original) body.append(row);
    };
    const title = [...head.childNodes];
    const made = button('', sort);
    made.append(...title);
    head.append(made);
  }
}

/** A field above a long table: rows that do not hold its words are left out. */
export function filterable(table: HTMLTableElement): void {
  const rows = [...table.tBodies[0]!.rows];
  const place = table.closest('.scroll');
  if (rows.length < MANY || !place) return;
  const count = el('span', { class: 'count', 'aria-live': 'polite' });
  const field = search((text) => {
    const words = text.trim().toLowerCase();
    let seen = 0;
    for (const row of rows) {
      row.hidden = !(row.textContent ?? '').toLowerCase().includes(words);
      if (!row.hidden) seen++;
    }
    count.textContent = words === '' ? '' : `${seen} of ${rows.length} rows`;
  });
  place.before(el('div', { class: 'controls' }, labelled('Filter rows', field), count));
}

export function stillFigures(): void {
  for (const figure of document.querySelectorAll('figure')) {
    const svg = figure.querySelector<SVGSVGElement>('.plot svg');
    const caption = figure.querySelector('figcaption');
    const name = caption?.querySelector('h3, h4')?.textContent ?? 'figure';
    if (svg && caption) caption.append(downloadButtons(name, () => svg));
  }
}

/** Figures that are shown above too are folded away, but not on paper. */
export function foldStills(): void {
  const folds = [...document.querySelectorAll<HTMLDetailsElement>('details.still')];
  for (const one of folds) one.open = false;
  let opened: HTMLDetailsElement[] = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details')].filter(({ open }) => !open);
    for (const one of opened) one.open = true;
  });
  addEventListener('afterprint', () => {
    for (const one of opened) one.open = false;
  });
}

/** Text beside a button that copies it. */
export function copyButtons(): void {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll<HTMLElement>('pre.copy')) {
    const made = button('Copy', () => {
      void navigator.clipboard.writeText(text.textContent ?? '').then(
        () => {
          made.textContent = 'Copied';
        },
        () => {
          made.textContent = 'Select the text to copy it';
        },
      );
    });
    text.before(el('span', { class: 'downloads' }, made));
  }
}
