/** A report as a command does it: what is read once becomes the page, the statistics and a file for each figure. */
import { stat } from 'node:fs/promises';
import { figureData } from '../compare/figure-data.js';
import { isStudy } from '../compare/from-study.js';
import { CritmapError } from '../errors.js';
import { drawingsOf } from '../figures/all-figures.js';
import { figurePage, figureSections } from '../figures/page.js';
import { pdfFile, pngFile, type RenderOptions, svgFile } from '../figures/render.js';
import { statisticsOf } from '../figures/statistics.js';
import { DEFAULT_STYLE, type Drawing, type Style } from '../figures/style.js';
import { reportPage } from '../report/html.js';
import { readRun } from '../run/read-run.js';
import { print, shown } from './terminal.js';
import { writeInto, writeReport } from './write-report.js';

export interface ReportArguments {
  sources: string[];
  out: string;
  format: string | undefined;
  title: string | undefined;
  categories: string | undefined;
  accuracies: string | undefined;
  attributes: string | undefined;
  exclude: string[] | undefined;
  baseline: string | undefined;
  imageSet: string | undefined;
  reset: string | undefined;
  profile: string[] | undefined;
  widthMm: string | undefined;
  fontSize: string | undefined;
  transparent: boolean;
}

const FORMATS = ['html', 'json', 'svg', 'pdf', 'png'] as const;
type Format = (typeof FORMATS)[number];
const ofFigures: readonly Format[] = ['svg', 'pdf', 'png'];

const PX_PER_MM = 96 / 25.4;
const PX_PER_POINT = 96 / 72;

/** @throws CritmapError (ERR_OPTION) for wrong options, (ERR_RUN), (ERR_STUDY) for what cannot be read or written */
export async function report(argv: ReportArguments): Promise<void> {
  const formats = formatsOf(argv);
  const style = styleOf(argv);
  const { sources, title } = argv;
  const areRuns = (await Promise.all(sources.map(isRun))).every(Boolean);
  if (formats.length === 1 && formats[0] === 'html' && areRuns && sources.length === 1) {
    await writeReport([(await readRun(sources[0]!)).summary], argv.out, title);
    print(`report   ${shown(argv.out)}\n`);
    return;
  }
  const { categories, accuracies, attributes, exclude, baseline, imageSet, reset } = argv;
  const read = { categories, accuracies, attributes, exclude, baseline, imageSet, reset, title };
  const data = await figureData(sources, read);
  const unknown = argv.profile?.find((id) => !data.models.some((model) => model.id === id));
  if (unknown !== undefined) {
    throw new CritmapError('ERR_OPTION', `--profile ${JSON.stringify(unknown)} is none of the models`);
  }
  const drawings = drawingsOf(data, { style, profiles: argv.profile });
  const statistics = statisticsOf(data);
  const base =
    formats.length === 1 && !ofFigures.includes(formats[0]!) ? null : argv.out.replace(KNOWN_END, '');
  const pathOf = (format: Format) => (base === null ? argv.out : `${base}.${format}`);
  for (const format of formats) {
    if (format === 'json') await writeInto(pathOf(format), `${JSON.stringify(statistics, null, 1)}\n`);
    if (format === 'html') {
      const html = areRuns ? await pageOfRuns(argv, drawings) : await figurePage(data, statistics, drawings);
      await writeInto(pathOf(format), html);
    }
    if (format === 'json' || format === 'html') print(`report   ${shown(pathOf(format))}\n`);
  }
  const files = formats.filter((format) => ofFigures.includes(format));
  if (files.length > 0) await writeFigures(argv, drawings, files, base!);
}

const KNOWN_END = /\.(html|json|svg|pdf|png)$/i;

async function isRun(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() === true && !isStudy(path);
}

/** The page of runs has their own tables too. */
async function pageOfRuns({ sources, exclude = [], title }: ReportArguments, drawings: readonly Drawing[]) {
  const runs = await Promise.all(sources.map(readRun));
  const summaries = runs.map(({ summary }) => summary).filter(({ model }) => !exclude.includes(model.name));
  return reportPage(
    summaries,
    title === undefined ? {} : { title },
    await figureSections(drawings, 'Across models'),
  );
}

async function writeFigures(
  argv: ReportArguments,
  drawings: readonly Drawing[],
  formats: readonly Format[],
  base: string,
): Promise<void> {
  const widthMm = argv.widthMm === undefined ? undefined : Number(argv.widthMm);
  for (const { id, title, spec } of drawings) {
    const options: RenderOptions = { widthMm, isTransparent: argv.transparent, title };
    const path = `${base}-${id}`;
    await writeInto(`${path}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`);
    for (const format of formats) {
      const make = { svg: svgFile, pdf: pdfFile, png: pngFile }[format as 'svg' | 'pdf' | 'png'];
      await writeInto(`${path}.${format}`, await make(spec, options));
    }
    print(`figure   ${shown(path)}.{${formats.join(',')}}\n`);
  }
}

function formatsOf({ format, out }: ReportArguments): Format[] {
  const asked = format ?? KNOWN_END.exec(out)?.[1]?.toLowerCase() ?? 'html';
  const names = [...new Set(asked.split(',').map((name) => name.trim()))];
  const wrong = names.find((name) => !FORMATS.includes(name as Format));
  if (wrong !== undefined) {
    throw new CritmapError(
      'ERR_OPTION',
      `--format ${JSON.stringify(wrong)} is none of ${FORMATS.join(', ')}`,
    );
  }
  return names as Format[];
}

function styleOf({ widthMm, fontSize }: ReportArguments): Style {
  const number = (option: string, given: string, least: number, most: number) => {
    const value = Number(given);
    if (given.trim() !== '' && value >= least && value <= most) return value;
    throw new CritmapError(
      'ERR_OPTION',
      `--${option} ${JSON.stringify(given)} is not from ${least} to ${most}`,
    );
  };
  return {
    width: widthMm === undefined ? DEFAULT_STYLE.width : number('width-mm', widthMm, 40, 2000) * PX_PER_MM,
    fontSize:
      fontSize === undefined ? DEFAULT_STYLE.fontSize : number('font-size', fontSize, 3, 40) * PX_PER_POINT,
  };
}
