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
