/** Places a few names beside points of a scatter plot so that none covers another name or leaves the plot. */

/** A point in px from the plot's top left corner. */
export interface LabelledPoint {
  name: string;
  x: number;
  y: number;
}

/** Where a name starts: its left edge and the middle of its line, in px. */
export interface PlacedLabel {
  name: string;
  x: number;
  y: number;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const CHARACTER_PX = 5.6;
const LINE_PX = 12;
const GAP_PX = 7;

/**
 * Tries right, left, above and below each point in turn; a name that fits nowhere is left out.
 * @param candidates points to label, the most important first
 * @param points all points: no name may lie on one
 * @param most how many names at most
 */
export function placeLabels(
  candidates: readonly LabelledPoint[],
  points: readonly { x: number; y: number }[],
  plot: { width: number; height: number },
  most: number,
): PlacedLabel[] {
  const placed: PlacedLabel[] = [];
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 }));
  for (const { name, x, y } of candidates) {
    if (placed.length === most) break;
    const width = name.length * CHARACTER_PX;
    const spots = [
      { x: x + GAP_PX, y },
      { x: x - GAP_PX - width, y },
      { x: x - width / 2, y: y - GAP_PX - LINE_PX / 2 },
      { x: x - width / 2, y: y + GAP_PX + LINE_PX / 2 },
    ];
    for (const spot of spots) {
      const box = {
        left: spot.x,
        right: spot.x + width,
        top: spot.y - LINE_PX / 2,
        bottom: spot.y + LINE_PX / 2,
      };
      const inside = box.left >= 0 && box.right <= plot.width && box.top >= 0 && box.bottom <= plot.height;
      if (!inside || taken.some((other) => overlaps(box, other))) continue;
      placed.push({ name, x: spot.x, y: spot.y });
      taken.push(box);
      break;
    }
  }
  return placed;
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
