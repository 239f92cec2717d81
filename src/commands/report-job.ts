/** A report as a command does it: what is asked for, and the page of one sweep, which needs none of what draws the others. */
import { stat } from 'node:fs/promises';
import { isStudy } from '../compare/from-study.js';
import { CritmapError, messageOf } from '../errors.js';
import { DEFAULT_STYLE, type Style } from '../figures/sizes.js';
import { readRun } from '../run/read-run.js';
import { FORMATS, type Format, KNOWN_END, NOTHING_CHOSEN, type ReportArguments } from './report-arguments.js';
import { print, shown } from './terminal.js';
import { writeReport } from './write-report.js';

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
  const { reportFigures } = await import('./report-figures.js').catch((error: unknown) => {
    throw new CritmapError(
      'ERR_NATIVE',
      `figures need the package @napi-rs/canvas, which cannot be loaded: ${messageOf(error)}; install critmap's optional dependencies, or give one run with --format html`,
      { cause: error },
    );
  });
  await reportFigures(argv, formats, style, areRuns);
}

/** The page of these sources, with nothing chosen. */
export const reportOf = (sources: readonly string[], out: string): Promise<void> =>
  report({ ...NOTHING_CHOSEN, sources: [...sources], out });

async function isRun(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() === true && !isStudy(path);
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
    isExact: widthMm !== undefined,
    width: widthMm === undefined ? DEFAULT_STYLE.width : number('width-mm', widthMm, 40, 2000) * PX_PER_MM,
    fontSize:
      fontSize === undefined ? DEFAULT_STYLE.fontSize : number('font-size', fontSize, 3, 40) * PX_PER_POINT,
  };
}
