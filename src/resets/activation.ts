/**
 * Resets of what a layer, or a block, gives instead of its weights: `skip` puts what went in there, `mean` the mean of
 * what comes out. What that means in a graph is found by `plan/spans.ts` and measured by `engines/calibrate.ts`.
 */

/** Kinds of resets that leave all weights as they are. */
const kinds: ReadonlySet<string> = new Set(['skip', 'mean']);

/** Whether a reset replaces what a layer gives, and not its weights. */
export const isActivation = <R extends { kind: string }>(
  reset: R,
): reset is Extract<R, { kind: 'skip' | 'mean' }> => kinds.has(reset.kind);

/** The same of a reset that is known by its label only. */
export const isActivationLabel = (label: string) => kinds.has(label);

/** A tensor of the graph that is replaced, and by what. */
export interface Replacement {
  /** The tensor's name. */
  output: string;
  /** Name of the tensor that takes its place; null for its own mean. */
  source: string | null;
  /** Its shape for one image, or for the batch that the graph fixes. */
  dims: readonly number[];
  /** Which of its axes has the channels. */
  axis: number;
}

export interface MeasuredReplacement extends Replacement {
  /** One number per channel, over all other axes and the images; null where another tensor takes the place. */
  mean: Float32Array | null;
  /** |Y' - Y| / |Y| of the tensor on the images that it was measured on; null when only Y is zero on all of them. */
  change: number | null;
}

/** Images that replacements are measured on, the first of the sample's random order; all of a smaller sample. */
export const CALIBRATION_IMAGES = 64;

interface Named {
  layer: { name: string };
  reset: { label: string };
}

/** What takes the place of what, for the layers or groups of a sweep under its resets of activations. */
export class Activations<R extends Replacement = MeasuredReplacement> {
  readonly #found = new Map<string, R>();

  add({ layer, reset }: Named, replacement: R): void {
    this.#found.set(JSON.stringify([layer.name, reset.label]), replacement);
  }

  /** @throws RangeError for a layer that nothing was found for */
  of({ layer, reset }: Named): R {
    const found = this.#found.get(JSON.stringify([layer.name, reset.label]));
    if (!found) throw new RangeError(`nothing takes the place of what ${layer.name} gives (${reset.label})`);
    return found;
  }
}
