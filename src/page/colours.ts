/** Colours of numbers, as the still figures have them, and of the page in its light or dark. */

/** viridis at sixteen places. */
const VIRIDIS =
  '440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725';
/** Blue below, white at 0, orange above. */
const DIVERGING = '08519c 6baed6 f7f7f7 fd8d3c a63603';

const STEPS = 256;

/** Ready-made colours from the first to the last. */
function ramp(words: string, isReversed: boolean): string[] {
  const stops = words
    .split(' ')
    .map((word) => [0, 2, 4].map((at) => Number.parseInt(word.slice(at, at + 2), 16)));
  if (isReversed) stops.reverse();
  return Array.from({ length: STEPS }, (_, step) => {
    const at = (step / (STEPS - 1)) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    const parts = stops[low]!.map((from, i) => Math.round(from + (at - low) * (stops[low + 1]![i]! - from)));
    return `rgb(${parts.join(',')})`;
  });
}

/** Dark is critical: from bright to dark, and where large numbers are harmless the other way round. */
const ramps = {
  rising: ramp(VIRIDIS, true),
  falling: ramp(VIRIDIS, false),
  diverging: ramp(DIVERGING, false),
};
export type Ramp = keyof typeof ramps;

/** @returns the colour of a share from 0 to 1 of the range */
export function colorAt(name: Ramp, share: number): string {
  const colors = ramps[name];
  return colors[Math.max(0, Math.min(STEPS - 1, Math.round(share * (STEPS - 1))))]!;
}

export interface Theme {
  page: string;
  panel: string;
  ink: string;
  muted: string;
  grid: string;
}

/** Of files, whatever the page looks like. */
export const PAPER: Theme = {
  page: '#ffffff',
  panel: '#f6f7f8',
  ink: '#222222',
  muted: '#6b6b6b',
  grid: '#e4e4e4',
};

/** As the style sheet has it now. */
export function themeOfPage(): Theme {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { page: of('page'), panel: of('panel'), ink: of('ink'), muted: of('muted'), grid: of('grid') };
}

export const KINDS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#8A7863', '#7A7A7A'];
