/** What one cell resets: a layer, or several layers together under a name of their own. */
import type { Layer } from '../onnx/layers.js';

/** Layers that are reset together, each with the draw that it has when it is reset alone. */
export interface LayerGroup {
  name: string;
  /** Two at least, in graph order. */
  members: readonly Layer[];
  /** Of a cascade, the layer that it has come to; else a group is where its members are on average. */
  at?: Layer;
}

export type Resettable = Layer | LayerGroup;

/** Which of a layer's own parameters are reset. */
export const layerParts = ['both', 'weight', 'bias'] as const;
export type LayerParts = (typeof layerParts)[number];

const isGroup = (one: Resettable): one is LayerGroup => 'members' in one;

/** The layers that are reset: a layer itself, a group's members. */
export const membersOf = (one: Resettable): readonly Layer[] => (isGroup(one) ? one.members : [one]);

/** Its operator; of a group all that its members have, `Conv+Gemm`. */
export const opOf = (one: Resettable): string => [...new Set(membersOf(one).map(({ op }) => op))].join('+');

/** How many parameters are reset. */
export const parametersIn = (one: Resettable, parts: LayerParts = 'both'): number =>
  membersOf(one).reduce((sum, { parameters, bias }) => {
    const inBias = bias?.layout.channels ?? 0;
    return sum + (parts === 'both' ? parameters : parts === 'bias' ? inBias : parameters - inBias);
  }, 0);

/** A layer that is in several groups, as in those of a cascade or of pairs. */
export function inSeveral(groups: readonly (readonly string[])[]): string | undefined {
  const seen = new Set<string>();
  return groups.flat().find((name) => seen.has(name) || !seen.add(name));
}

/** What tables say of a layer or group. */
export interface ResettableFacts {
  name: string;
  /** Of a group all that its members have, `Conv+Gemm`. */
  op: string;
  /** Of the weight; empty of a group. */
  shape: number[];
  groups: number;
  parameters: number;
  /** Among all layers of the model, from 0; of a group it may lie between two. */
  position: number;
  /** Names of a group's layers. */
  members?: string[];
  /** Places in which a tied weight is used, where there are several: they are reset together. */
  uses?: number;
}

/** @param positions - of the model's layers, by name */
export function factsOf(
  one: Resettable,
  positions: ReadonlyMap<string, number>,
  parts: LayerParts = 'both',
): ResettableFacts {
  const { name } = one;
  const parameters = parametersIn(one, parts);
  const positionOf = (layer: Layer) => positions.get(layer.name)!;
  if (!isGroup(one)) {
    const { op, weight, groups, uses } = one;
    const facts = { name, op, shape: [...weight.shape], groups, parameters, position: positionOf(one) };
    return uses > 1 ? { ...facts, uses } : facts;
  }
  const { members, at } = one;
  // A norm that goes with a layer may have no place of its own.
  const placed = members.filter((layer) => positions.has(layer.name));
  const mean = placed.reduce((sum, layer) => sum + positionOf(layer), 0) / placed.length;
  return {
    name,
    op: opOf(one),
    shape: [],
    groups: 1,
    parameters,
    position: at ? positionOf(at) : mean,
    members: members.map((layer) => layer.name),
  };
}
