/** How large figures are. */

/** Sizes in px, of which 96 are an inch. */
export interface Style {
  /** Of the whole figure. */
  width: number;
  /** Whether figures that can fill the width do so exactly; else their cells have whole pixels. */
  isExact?: boolean;
  /** Of labels; titles are a little larger. */
  fontSize: number;
}

export const DEFAULT_STYLE: Style = { width: 1130, fontSize: 11 };

const PX_PER_MM = 96 / 25.4;
const PX_PER_POINT = 96 / 72;

/** What may be asked for. */
export const WIDTHS_MM = { least: 40, most: 2000 } as const;
export const FONT_SIZES = { least: 3, most: 40 } as const;

/** @param fontSize - in points */
export function styleOf(widthMm: number | undefined, fontSize: number | undefined): Style {
  return {
    isExact: widthMm !== undefined,
    width: widthMm === undefined ? DEFAULT_STYLE.width : widthMm * PX_PER_MM,
    fontSize: fontSize === undefined ? DEFAULT_STYLE.fontSize : fontSize * PX_PER_POINT,
  };
}
