/** Weights with numbers that are none: what a training run that diverged leaves behind. */
import { setImmediate } from 'node:timers/promises';
import { CritmapError } from '../errors.js';
import { native } from '../native/addon.js';
import { FLOAT } from '../onnx/tensors.js';
import type { Model } from './model.js';

/** Values that are looked at between two turns of the event loop. */
const PER_TURN = 2 ** 22;

/**
 * Refuses a model with NaN in a stored tensor, or whose layers and the norms behind them hold infinity or a negative
 * variance: it predicts nothing, whatever is reset.
 * @throws CritmapError (ERR_MODEL) that names the tensor
 */
export async function refuseNotFinite(model: Model): Promise<void> {
  const { layers, file } = model;
  const variances = new Set(layers.flatMap(({ norm }) => (norm ? [norm.variance] : [])));
  const trained = new Set(
    layers.flatMap(({ weight, bias, gains = [], norm }) => [
      ...[weight, ...(bias ? [bias] : []), ...gains].map(({ tensor }) => tensor),
      ...(norm ? [norm.scale, norm.bias, norm.mean, norm.variance] : []),
    ]),
  );
  // Elsewhere an infinity may be meant: masks are made of it.
  const others = file.graph.initializer.filter(
    ({ dataType, name }) => dataType === FLOAT && !trained.has(name),
  );
  let seen = 0;
  for (const tensor of [...trained, ...others.map(({ name }) => name)]) {
    const values = model.values(tensor);
    const size = native().norms(values, values).original;
    const isWrong = trained.has(tensor) ? (value: number) => !Number.isFinite(value) : Number.isNaN;
    const at = isWrong(size) ? values.findIndex(isWrong) : -1;
    const isNegative = variances.has(tensor) && values.some((value) => value < 0);
    if (at >= 0 || isNegative) {
      const why = at >= 0 ? `holds ${values[at]} at element ${at}` : 'has negative variances';
      throw new CritmapError(
        'ERR_MODEL',
        `${file.path}: the tensor ${tensor} ${why}, so the model predicts nothing; give weights that are finite, of before its training diverged`,
      );
    }
    seen += values.length;
    if (seen > PER_TURN) {
      seen = 0;
      await setImmediate();
    }
  }
}
