/** A report in the terminal: the table of one run with its profile, the map of several models, or of a study's. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fromCsv } from '../compare/from-csv.js';
import { isStudy } from '../compare/from-study.js';
import { baselineLine, layerTable } from '../report/table.js';
import { cellsOf, type MapRow, mapLines, profileLines } from '../report/terminal-map.js';
import { readRun, readRunSummary } from '../run/read-run.js';
import { files } from '../run/run.js';
import { readPlan } from '../run/study-plan.js';
import type { Summary } from '../run/summary.js';
import { colourDepth, print, shown } from './terminal.js';

/** Columns of what is no terminal. */
const PLAIN_WIDTH = 100;

/**
 * @param sources - run directories, directories of studies, tables with the published columns
 * @throws CritmapError (ERR_RUN, ERR_STUDY) for what is none of these, or damaged
 */
export async function printReport(sources: readonly string[], title?: string): Promise<void> {
  const { stdout } = process;
  const width = stdout.columns || PLAIN_WIDTH;
  const depth = colourDepth();
  const isOneRun = sources.length === 1 && !isStudy(sources[0]!) && !(await isFile(sources[0]!));
  const lines = isOneRun
    ? runLines((await readRun(sources[0]!)).summary, depth > 1, width)
    : (await mapsOf(sources)).flatMap((map, i) => [
        ...(i > 0 ? [''] : []),
        ...(map.title === null ? [] : [shown(map.title)]),
        ...mapLines(map.rows, { depth, width }),
      ]);
  const heading = title === undefined ? [] : [shown(title), ''];
  print(`${[...heading, ...lines].join('\n')}\n`);
}

function runLines(summary: Summary, color: boolean, width: number): string[] {
  return [
    `model: ${shown(summary.model.name)}`,
    baselineLine(summary),
    '',
    layerTable(summary, { color, width }),
    '',
    ...profileLines(cellsOf(summary), width),
  ];
}

interface TitledMap {
  title: string | null;
  rows: MapRow[];
}

/** One of all runs and tables together, then each study's. */
async function mapsOf(sources: readonly string[]): Promise<TitledMap[]> {
  const rows: MapRow[] = [];
  const studies: TitledMap[] = [];
  for (const source of sources) {
    if (isStudy(source)) for (const map of await mapsOfStudy(source)) studies.push(map);
    else if (await isFile(source)) for (const row of await rowsOfTable(source)) rows.push(row);
    else {
      const { summary } = await readRun(source);
      rows.push(rowOf(summary.model.name, null, null, summary));
    }
  }
  return rows.length > 0 ? [{ title: null, rows }, ...studies] : studies;
}

const isFile = (path: string) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

const rowOf = (name: string, category: string | null, accuracy: number | null, summary: Summary): MapRow => ({
  ...{ name, category, accuracy: accuracy ?? summary.baseline?.top1 ?? null },
  cells: cellsOf(summary),
});

async function rowsOfTable(path: string): Promise<MapRow[]> {
  const models = await fromCsv(path);
  return models.map(({ id, category, attributes, layers }) => ({
    ...{ name: id, category, accuracy: attributes.accuracy ?? null },
    cells: layers.map(({ layer, reset, mean, isDestroyed }) => ({
      ...{ layer, reset },
      percent: isDestroyed ? 100 : mean,
    })),
  }));
}

/** One for each set of images, models by category in the study's order. */
async function mapsOfStudy(directory: string): Promise<TitledMap[]> {
  const plan = await readPlan(directory);
  const categories = plan.categories.map(({ name }) => name);
  const rank = (category: string | null) =>
    category === null ? categories.length : categories.indexOf(category);
  const models = [...plan.models].sort((a, b) => rank(a.category) - rank(b.category));
  const maps: TitledMap[] = [];
  for (const images of plan.images) {
    const rows: MapRow[] = [];
    for (const { id, name, category, accuracy } of models) {
      const place = join(directory, id, images.id);
      rows.push(
        existsSync(join(place, files.summary))
          ? rowOf(name, category, accuracy, await readRunSummary(place))
          : { name, category, accuracy, cells: [] },
      );
    }
    const lacking = rows.filter(({ cells }) => cells.length === 0).length;
    const rest = lacking > 0 ? ` (${lacking} of ${rows.length} not swept yet)` : '';
    maps.push({ title: `${plan.name}: ${images.name}${rest}`, rows });
  }
  return maps;
}
