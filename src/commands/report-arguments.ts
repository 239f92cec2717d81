/** What `critmap report` is asked for. */

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
  dark: boolean;
}

export const NOTHING_CHOSEN: Omit<ReportArguments, 'sources' | 'out'> = {
  ...{
    format: undefined,
    title: undefined,
    categories: undefined,
    accuracies: undefined,
    attributes: undefined,
  },
  ...{ exclude: undefined, baseline: undefined, imageSet: undefined, reset: undefined, profile: undefined },
  ...{ widthMm: undefined, fontSize: undefined, transparent: false, dark: false },
};

export const FORMATS = ['html', 'json', 'svg', 'pdf', 'png'] as const;
export type Format = (typeof FORMATS)[number];
export type FigureFormat = Exclude<Format, 'html' | 'json'>;
/** Whether it is a file for each figure. */
export const isFigure = (format: Format): format is FigureFormat => format !== 'html' && format !== 'json';

/** Ends of `--out` that are not part of a figure's name. */
export const KNOWN_END = /\.(html|json|svg|pdf|png)$/i;
