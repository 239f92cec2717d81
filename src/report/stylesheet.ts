/** The style sheet inside a report. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f8; --line: #dcdfe3; --ink: #1c1f23; --muted: #5c636b;
  --bar: #0072b233; --grid: #e4e4e4; --stage: #bdbdbd; --edge: #8a929a; --focus: #0072b2;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --panel: #1f2226; --line: #363b41; --ink: #e8eaed; --muted: #a0a7af;
    --bar: #56b4e94d; --grid: #2c3035; --stage: #4a5057; --edge: #737b84; --focus: #56b4e9;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 88rem; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
}
h1, h2, h3, h4 { line-height: 1.25; font-weight: 600; overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1.08rem; margin: 2rem 0 .6rem; }
figcaption h3, figcaption h4 { font-size: 1.02rem; margin: 0 0 .1rem; color: var(--ink); }
p { max-width: 46rem; overflow-wrap: anywhere; }
.kicker { color: var(--muted); margin: 0 0 .35rem; font-size: .85rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
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
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(25rem, 100%), 1fr)); gap: 0 2rem; }
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
th button:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
th[aria-sort='ascending'] button::after { content: ' ▲'; font-size: .7em; }
th[aria-sort='descending'] button::after { content: ' ▼'; font-size: .7em; }
dl.words, dl.source { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.25rem; margin: 0; font-size: .9rem; }
dl.words dt { font-weight: 600; }
dl.source dt { color: var(--muted); }
dl.words dd, dl.source dd { margin: 0; overflow-wrap: anywhere; }
dl.source dd { font-family: var(--mono); font-size: .8rem; line-height: 1.8; }
button, select, input { font: inherit; color: inherit; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: .75rem 0; }
.control { display: grid; gap: .15rem; min-width: 0; font-size: .85rem; }
.control label { color: var(--muted); font-size: .8rem; }
.control select, .control input { min-height: 2.1rem; padding: .25rem .5rem; max-width: min(18rem, 85vw); border: 1px solid var(--edge); border-radius: 6px; background: var(--page); }
.downloads { display: inline-flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: .2rem 0 .2rem .6rem; font-size: .8rem; color: var(--muted); vertical-align: middle; }
#explorer > .downloads, .methods .downloads { display: flex; margin: .5rem 0 0; }
.downloads button, .pages button { padding: .15rem .6rem; min-height: 1.6rem; border: 1px solid var(--edge); border-radius: 6px; background: var(--panel); color: var(--ink); cursor: pointer; }
.downloads button:hover, .pages button:hover { border-color: var(--ink); }
.pages { display: flex; gap: .5rem; align-items: center; font-size: .85rem; }
.pages button:disabled { color: var(--muted); cursor: default; border-color: var(--line); }
.count, .meaning { color: var(--muted); font-size: .87rem; }
.meaning { margin: .4rem 0 .6rem; max-width: 60rem; }
.map-box { overflow: auto; outline-offset: 2px; }
.map-box.is-tall { max-height: 85vh; }
.map-space { min-width: 100%; }
.map-space canvas { position: sticky; left: 0; top: 0; display: block; touch-action: pan-x pan-y; }
:focus-visible { outline: 2px solid var(--focus); }
.spoken { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.tip { position: fixed; z-index: 9; display: grid; gap: .05rem; max-width: min(24rem, 92vw); padding: .45rem .7rem; pointer-events: none; overflow-wrap: anywhere; background: var(--page); color: var(--ink); border: 1px solid var(--edge); border-radius: 8px; box-shadow: 0 4px 14px #0003; font-size: .82rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.tip strong { font-weight: 600; }
[hidden] { display: none !important; }
.profiles .plot svg { max-width: none; cursor: pointer; }
.numbers .scroll { max-height: 70vh; }
.numbers tbody th { font: inherit; }
.numbers .name { all: unset; cursor: pointer; text-decoration: underline; text-decoration-color: var(--edge); text-underline-offset: .2em; }
.numbers .name:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
details.still { border-top: 1px solid var(--line); }
details.still > summary { padding: .55rem 0; cursor: pointer; font-weight: 600; }
details.still > figure { margin-top: .4rem; }
pre.copy { margin: .4rem 0 1.2rem; padding: .8rem 1rem; overflow-x: auto; background: var(--panel); border-radius: 8px; font: .82rem/1.6 var(--mono); }
pre.prose { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; font-size: .92rem; max-width: 60rem; }
@media (max-width: 40rem) {
  body { padding: 1.5rem .9rem 3rem; }
  .control { flex: 1 1 9rem; }
  .control select, .control input { width: 100%; max-width: none; }
  tbody th { min-width: 8rem; max-width: 11rem; }
  .pair { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  #explorer:not(.printed), .controls, .downloads, .tip { display: none; }
  details.still:has(figure) > summary { display: none; }
  figure { break-inside: avoid; }
  figcaption { break-after: avoid; }
  pre.copy { white-space: pre-wrap; }
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
  .plot svg { min-width: 0; max-height: 150mm; }
  td.bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
