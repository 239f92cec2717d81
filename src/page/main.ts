/**
 * The script of a report's page. The page is complete without it: figures, tables and text are there. With it, tables sort
 * and filter, figures can be saved, and all numbers can be explored. It loads nothing and sends nothing.
 */
import { Explorer } from './explorer.js';
import { PAGE_DATA_ID, type PageData } from './page-data.js';
import { copyButtons, filterable, foldStills, sortable, stillFigures } from './static-parts.js';

for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) {
  sortable(table);
  filterable(table);
}
stillFigures();
copyButtons();
const data = document.getElementById(PAGE_DATA_ID);
const place = document.getElementById('explorer');
if (data && place) {
  foldStills();
  new Explorer(JSON.parse(data.textContent ?? '') as PageData, place);
}
