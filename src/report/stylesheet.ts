/** The style sheet and the script inside a report. The page is complete without the script: it only sorts. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f8; --line: #dcdfe3; --ink: #1c1f23; --muted: #5c636b;
  --bar: #0072b233; --grid: #e4e4e4; --stage: #bdbdbd;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --panel: #1f2226; --line: #363b41; --ink: #e8eaed; --muted: #a0a7af;
    --bar: #56b4e94d; --grid: #2c3035; --stage: #4a5057;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 74rem; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
}
h1, h2, h3, h4 { line-height: 1.25; font-weight: 600; overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1.08rem; margin: 2rem 0 .6rem; }
figcaption h3, figcaption h4 { font-size: 1.02rem; margin: 0 0 .1rem; color: var(--ink); }
p { max-width: 46rem; overflow-wrap: anywhere; }
.kicker { color: var(--muted); margin: 0 0 .35rem; font-size: .85rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.facts div { background: var(--panel); border-radius: 8px; padding: .75rem .95rem; min-width: 0; }
.facts dt { color: var(--muted); font-size: .82rem; }
.facts dd { margin: .1rem 0 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.facts dd.names { font: 400 .8rem/1.5 var(--mono); padding-top: .2rem; }
.facts dd.names span { display: flex; justify-content: space-between; gap: .75rem; }
.facts dd.names b { flex: none; font-weight: 400; }
.facts small { display: block; font-size: .8rem; font-weight: 400; color: var(--muted); }
.warning { border-left: 3px solid #d55e00; padding: .1rem 0 .1rem .9rem; }
figure { margin: 0 0 2.25rem; min-width: 0; }
figcaption { color: var(--muted); font-size: .87rem; margin-bottom: .5rem; max-width: 52rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(25rem, 1fr)); gap: 0 2rem; }
.pair figure { display: grid; grid-row: span 2; grid-template-rows: subgrid; gap: 0; }
.plot { overflow-x: auto; }
.plot svg { display: block; max-width: 100%; height: auto; }
.agreement svg, .parameters svg { min-width: 25rem; }
.criticality svg, .accuracy svg { min-width: 44rem; }
.plot svg text[fill='#222222'] { fill: var(--ink); }
.plot svg text[fill='#6B6B6B'] { fill: var(--muted); }
.plot svg line[stroke='#222222'] { stroke: var(--ink); }
.plot svg line[stroke='#E4E4E4'] { stroke: var(--grid); }
.plot svg line[stroke='#BDBDBD'] { stroke: var(--stage); }
.scroll { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .8rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: .6rem .7rem; font-size: .87rem; }
th, td { padding: .28rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { position: sticky; top: 0; z-index: 2; background: var(--panel); font-weight: 600; vertical-align: bottom; }
tbody th { position: sticky; left: 0; z-index: 1; background: var(--page); font: 400 .76rem var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; min-width: 13rem; max-width: 22rem; }
thead th:first-child { left: 0; z-index: 3; }
tbody tr:hover > * { background-color: var(--panel); }
tbody tr:last-child > *, tfoot tr:last-child > * { border-bottom: 0; }
tfoot th, tfoot td { font-weight: 600; border-top: 1px solid var(--stage); }
.number { text-align: right; }
td.bar { background-image: linear-gradient(var(--bar), var(--bar)); background-repeat: no-repeat; background-position: 0 50%; background-size: var(--share) calc(100% - .5rem); }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
th[aria-sort='ascending'] button::after { content: ' ▲'; font-size: .7em; }
th[aria-sort='descending'] button::after { content: ' ▼'; font-size: .7em; }
dl.words, dl.source { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.25rem; margin: 0; font-size: .9rem; }
dl.words dt { font-weight: 600; }
dl.source dt { color: var(--muted); }
dl.words dd, dl.source dd { margin: 0; overflow-wrap: anywhere; }
dl.source dd { font-family: var(--mono); font-size: .8rem; line-height: 1.8; }
@media print {
  :root { color-scheme: light; --page: #fff; --panel: #fff; --line: #ccc; --ink: #000; --muted: #444; --grid: #e4e4e4; --stage: #bdbdbd; --bar: #0072b233; }
  @page { size: A4 landscape; margin: 12mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .scroll { max-height: none; overflow: visible; border: 0; }
  .facts div { border: 1px solid var(--line); }
  table { font-size: 6.5pt; }
  th, td { padding: .15rem .3rem; }
  thead th, tbody th { position: static; min-width: 0; font-size: inherit; }
  thead { display: table-header-group; }
  tr, .facts div, figcaption { break-inside: avoid; }
  .plot svg { min-width: 0; max-height: 165mm; }
  td.bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;

/** Makes column titles into buttons that sort; values come from `data-value`, else from the text. */
export const SCRIPT = `
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const next = { descending: 'ascending', ascending: null }[head.getAttribute('aria-sort')];
      const order = next === undefined ? 'descending' : next;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      if (order) head.setAttribute('aria-sort', order);
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const sign = order === 'ascending' ? 1 : -1;
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if (x === '' || y === '') return (x === '') - (y === '');
        return sign * (head.className === 'number' ? x - y : x < y ? -1 : x > y ? 1 : 0);
      };
      body.append(...(order ? [...original].sort(compare) : original));
    });
  });
}
`;
