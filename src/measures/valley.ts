/**
 * Module criticality (Chatterji, Neyshabur and Sedghi, 2020, arXiv:1912.00528) from the points of a grid. Pure: numbers in,
 * numbers out. All of it is without units but for the losses.
 */

/** One point of a module's grid: its weights at a share `alpha` of the way to the trained ones, plus noise. */
export interface GridPoint {
  alpha: number;
  sigma: number;
  /** alpha^2 x distance^2 / sigma^2. */
  value: number;
  /** Mean over images and draws of the noise; null where it is not finite. */
  loss: number | null;
  /** Whether the loss is within the threshold. */
  fits: boolean;
}

/** What is least on a module's grid: its criticality, and where. */
export interface ModuleMinimum {
  /** Null where no point of the grid fits. */
  value: number | null;
  alpha: number | null;
  sigma: number | null;
  loss: number | null;
}

/** What a sum of floats over images may be off by, of a loss of some size. */
const ROUNDING = 1e-9;

/**
 * @param distance - the Euclidean norm of trained minus initial weights
 * @param most - the highest loss that fits
 */
export function gridPoint(
  { alpha, sigma, loss }: { alpha: number; sigma: number; loss: number | null },
  distance: number,
  most: number,
): GridPoint {
  const value = ((alpha * distance) / sigma) ** 2;
  const fits = loss !== null && loss <= most + ROUNDING * Math.max(1, Math.abs(most));
  return { alpha, sigma, value, loss, fits };
}

/** The fitting point of least value; of several, that with the widest noise and then the least of the trained weights. */
export function moduleMinimum(points: readonly GridPoint[]): ModuleMinimum {
  const [best] = points
    .filter(({ fits }) => fits)
    .sort((a, b) => a.value - b.value || b.sigma - a.sigma || a.alpha - b.alpha);
  if (!best) return { value: null, alpha: null, sigma: null, loss: null };
  const { value, alpha, sigma, loss } = best;
  return { value, alpha, sigma, loss };
}

/** The network's criticality: the sum over its modules; null where one of them is not known. */
export function networkSum(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>(
    (sum, value) => (sum === null || value === null ? null : sum + value),
    0,
  );
}
