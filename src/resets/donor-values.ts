/** What a donor has in the place of a layer's parameters. */
import { CritmapError } from '../errors.js';
import type { Model } from '../model/model.js';
import { withAllTargets } from '../model/targets.js';
import { native } from '../native/addon.js';
import type { Layer, Parameter } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { transpose } from '../onnx/tensors.js';
import type { Reset } from './kinds.js';
import { measured } from './measured.js';
import { type ParameterReset, parametersOf, type Role } from './parameters.js';

/** A donor's matrices as the model stores them, where its export turned them round. */
const transposedDonors = new WeakMap<Float32Array, Float32Array>();

/** A donor's weight without its gain would be no weight of the donor's. */
export function gainResets(model: Model, layer: Layer, reset: Reset): ParameterReset[] {
  if (reset.kind !== 'interpolate' || reset.alpha === 1 || !layer.gains) return [];
  const { donor, alpha } = reset;
  const theirs = donor.layers.find(({ name }) => name === layer.name)?.gains ?? [];
  const refuse = (why: string) => doesNotFit(donor, layer, why);
  if (theirs.map(({ shape }) => shape).join() !== layer.gains.map(({ shape }) => shape).join())
    throw refuse('its weight is computed in another way: export both with the same exporter');
  const found = new Map<string, ParameterReset>();
  for (const [i, parameter] of layer.gains.entries()) {
    const own = model.values(parameter.tensor);
    const other = donor.values(theirs[i]?.tensor ?? '');
    if (native().norms(own, other).difference === 0) continue;
    const known = found.get(parameter.tensor);
    if (parameter.shared || known)
      throw refuse(
        "the model's gain is stored once for several layers that have equal ones: export it with optimize=False",
      );
    found.set(parameter.tensor, {
      layer,
      role: 'gain',
      owner: layer.name,
      parameter,
      rule: { kind: 'interpolate', donor: other, alpha },
    });
  }
  return [...found.values()];
}

const doesNotFit = (donor: Model, { name }: Layer, why: string) =>
  new CritmapError(
    'ERR_RESET',
    `the donor ${donor.file.path} does not fit ${name}: ${why}; it must be the same architecture`,
  );

/**
 * A donor's values of one of a layer's parameters, in the order in which the model stores its own.
 * @throws CritmapError (ERR_RESET) when the donor does not fit
 */
export function donorValues(given: Model, layer: Layer, role: Role, wanted: Parameter): Float32Array {
  const donor = layer.whole || isNormOp(layer.op) ? withAllTargets(given) : given;
  const twin = donor.layers.find((candidate) => candidate.name === layer.name);
  const there = twin && parametersOf(twin).find(([one]) => one === role)?.[1];
  const refuse = (why: string) => doesNotFit(donor, layer, why);
  if (!there) throw refuse(`it has no ${role} of that layer`);
  if ((twin?.bias === null) !== (layer.bias === null) || (twin?.norm === null) !== (layer.norm === null)) {
    throw refuse('one of the two was exported with BatchNorm folded into the convolution, the other without');
  }
  if (there.shape.join() !== wanted.shape.join()) {
    throw refuse(
      `its ${role} is [${there.shape.join(', ')}] where the model's is [${wanted.shape.join(', ')}]`,
    );
  }
  const values = donor.values(there.tensor);
  if ((there.layout.transposed ?? false) === (wanted.layout.transposed ?? false)) return values;
  return measured(transposedDonors, values, () => transpose(values, there.stored));
}
