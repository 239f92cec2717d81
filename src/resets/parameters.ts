/** The parameters of a layer that resets know, and what a reset does to one of them. */
import type { LayerParts } from '../model/layer-group.js';
import type { ResetRule } from '../native/reset-rule.js';
import type { Layer, Parameter } from '../onnx/layers.js';

/** PyTorch's name of a parameter within its module. */
export type Role = 'weight' | 'bias' | 'running_mean' | 'running_var';

/** A layer's own parameters that are reset, by PyTorch's name within the module. */
export function parametersOf(layer: Layer, parts: LayerParts = 'both'): [role: Role, parameter: Parameter][] {
  const { weight, bias, statistics } = layer;
  const all: [Role, Parameter | null][] = [
    ['weight', weight],
    ['bias', bias],
    ['running_mean', statistics?.mean ?? null],
    ['running_var', statistics?.variance ?? null],
  ];
  return all.flatMap(([role, one]) => (one && (parts === 'both' || parts === role) ? [[role, one]] : []));
}

/** What a reset does to one parameter: the rule, and the factor of every output channel that goes with it. */
export interface ParameterReset {
  layer: Layer;
  /** Of a `gain`, which is what the graph multiplies the weight with, only a donor brings others. */
  role: Role | 'gain';
  /** The layer whose key its draws have: of a part the whole, so that the two are paired. */
  owner: string;
  parameter: Parameter;
  rule: ResetRule;
  factor?: Float32Array;
}
