/** One run's layers for the page's script: what it shows of several models, without a map. */
import type { PageData } from '../page/page-data.js';
import type { Summary } from '../run/summary.js';
import { groupsOf, stagesOf } from './groups.js';
import { methodsOf } from './methods.js';
import { intervalsText, rowName } from './overview.js';
import { cellNumbers, columnsOfCells, metricsOf } from './page-columns.js';
import { distinct, printable } from './text.js';

export function exploreRun(summary: Summary): PageData {
  const { model, layers, baseline } = summary;
  const labels = distinct(layers.map((layer) => printable(rowName(layer, summary))));
  const groups = groupsOf(layers);
  const stages = stagesOf(layers.map(({ layer }) => layer));
  const imageSets = [
    { name: printable(summary.data.source), columns: columnsOfCells(layers.map(cellNumbers)) },
  ];
  const name = printable(model.name);
  return {
    version: 1,
    title: name,
    reset: [...new Set(layers.map(({ reset }) => printable(reset)))].join(', '),
    intervals: intervalsText(summary) ?? null,
    baseline: null,
    categories: [],
    models: [{ id: name, name, category: null, accuracy: baseline?.top1 ?? null }],
    panels: [
      {
        name,
        models: [0],
        start: 0,
        layers: layers.map(({ layer }, i) => ({
          ...{ layer: printable(layer), label: labels[i]!, stage: printable(stages[i]!), kind: groups[i]! },
        })),
      },
    ],
    metrics: metricsOf(imageSets),
    imageSets,
    methods: methodsOf([summary]),
  };
}
