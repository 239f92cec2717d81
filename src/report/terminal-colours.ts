/** The map's colours as a terminal takes them: those of the figures, cividis, as exactly as it can show them. Pure. */

/** Bits of colour: 24, 8 (256 colours), or fewer, which are too few. */
export type ColourDepth = number;

type Rgb = readonly [red: number, green: number, blue: number];

/** Cividis for 0 (dark) to 1 (bright): the polynomials of d3-scale-chromatic, which Vega's scheme of that name is from. */
function cividis(t: number): Rgb {
  const channel = (value: number) => Math.max(0, Math.min(255, Math.round(value)));
  return [
    channel(-4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))))),
    channel(32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37))))),
    channel(81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67))))),
  ];
}

/** A text on the colour of a percentage. */
export function onColour(text: string, percent: number, depth: ColourDepth): string {
  const colour = cividis(Math.max(0, Math.min(100, percent)) / 100);
  const code = depth >= 24 ? `2;${colour.join(';')}` : `5;${nearest(colour)}`;
  return `\u001B[48;${code}m${text}\u001B[0m`;
}

export const hasColours = (depth: ColourDepth) => depth >= 8;

/** Levels of one channel in the 6 x 6 x 6 colours that begin with number 16. */
const LEVELS = [0, 95, 135, 175, 215, 255];

/** The nearest of the 216 colours and 24 greys that terminals with 256 colours agree on. */
function nearest(colour: Rgb): number {
  const steps = colour.map((value) =>
    LEVELS.reduce(
      (best, level, i) => (Math.abs(level - value) < Math.abs(LEVELS[best]! - value) ? i : best),
      0,
    ),
  ) as [number, number, number];
  const grey = Math.max(
    0,
    Math.min(23, Math.round((colour.reduce((sum, one) => sum + one, 0) / 3 - 8) / 10)),
  );
  const distance = (other: readonly number[]) =>
    other.reduce((sum, value, i) => sum + (value - colour[i]!) ** 2, 0);
  const isGrey = distance([0, 0, 0].map(() => 8 + 10 * grey)) < distance(steps.map((step) => LEVELS[step]!));
  return isGrey ? 232 + grey : 16 + 36 * steps[0] + 6 * steps[1] + steps[2];
}
