/** The part of a report that draws: read once, it becomes the page, the statistics and a file for each figure. */
import { figureData } from '../compare/figure-data.js';
import { CritmapError } from '../errors.js';
import { drawingsOf, MOST_CELLS_OF_PAGE } from '../figures/all-figures.js';
import { DARK_PAPER, darkened } from '../figures/dark.js';
import type { FigureData } from '../figures/data.js';
import { figurePage, figureSections } from '../figures/page.js';
import { pdfFile, pngFile, type RenderOptions, svgFile } from '../figures/render.js';
import { statisticsOf } from '../figures/statistics.js';
import type { Drawing, Style } from '../figures/style.js';
import { reportPage } from '../report/html.js';
import { readRun } from '../run/read-run.js';
import {
  type FigureFormat,
  type Format,
  isFigure,
  KNOWN_END,
  type ReportArguments,
} from './report-arguments.js';
import { print, shown } from './terminal.js';
import { writeInto } from './write-report.js';

/** @param areRuns - whether all sources are runs, whose page has tables of their own */
export async function reportFigures(
  argv: ReportArguments,
  formats: readonly Format[],
  style: Style,
  areRuns: boolean,
): Promise<void> {
  const { sources, title, categories, accuracies, attributes, exclude, baseline, imageSet, reset } = argv;
  const read = { categories, accuracies, attributes, exclude, baseline, imageSet, reset, title };
  const data = await figureData(sources, read);
  const unknown = argv.profile?.find((id) => !data.models.some((model) => model.id === id));
  if (unknown !== undefined) {
    throw new CritmapError('ERR_OPTION', `--profile ${JSON.stringify(unknown)} is none of the models`);
  }
  const mostCells = formats.some(isFigure) ? undefined : MOST_CELLS_OF_PAGE;
  const drawings = drawingsOf(data, { style, profiles: argv.profile, mostCells });
  const statistics = statisticsOf(data);
  const base = argv.out.replace(KNOWN_END, '');
  const isOnly = formats.length === 1 && !isFigure(formats[0]!);
  for (const format of formats) {
    if (isFigure(format)) continue;
    const isNamed = isOnly && (format === 'html' || /\.json$/i.test(argv.out));
    const path = isNamed ? argv.out : `${base}.${format}`;
    if (format === 'json') await writeInto(path, `${JSON.stringify(statistics, null, 1)}\n`);
    else if (areRuns) await writeInto(path, await pageOfRuns(argv, data, drawings));
    else await writeInto(path, await figurePage(data, statistics, drawings));
    print(`report   ${shown(path)}\n`);
  }
  const files = formats.filter(isFigure);
  if (files.length > 0) await writeFigures(argv, drawings, files, base);
}

/** Runs that get sections of their own. */
const FEW = 4;

/** The page of runs has their own tables too. */
async function pageOfRuns(
  { sources, exclude = [], title }: ReportArguments,
  data: FigureData,
  drawings: readonly Drawing[],
) {
  const runs = await Promise.all(sources.map(readRun));
  const summaries = runs.map(({ summary }) => summary).filter(({ model }) => !exclude.includes(model.name));
  return reportPage(
    summaries,
    { ...(title === undefined ? {} : { title }), perModel: summaries.length <= FEW },
    await figureSections(data, drawings, 'Across models'),
  );
}

async function writeFigures(
  argv: ReportArguments,
  drawings: readonly Drawing[],
  formats: readonly FigureFormat[],
  base: string,
): Promise<void> {
  const widthMm = argv.widthMm === undefined ? undefined : Number(argv.widthMm);
  const ground = argv.dark ? DARK_PAPER : undefined;
  for (const { id, title, spec: light } of drawings) {
    const spec = argv.dark ? darkened(light) : light;
    const options: RenderOptions = { widthMm, isTransparent: argv.transparent, ground, title };
    const path = `${base}-${id}`;
    await writeInto(`${path}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`);
    for (const format of formats) {
      const make = { svg: svgFile, pdf: pdfFile, png: pngFile }[format];
      await writeInto(`${path}.${format}`, await make(spec, options));
    }
    print(`figure   ${shown(path)}.{${formats.join(',')}}\n`);
  }
}
