/**
 * Tensors of a checkpoint that the network has no place for. Auxiliary norms, projection heads and the like are left
 * out; but some tell that the checkpoint is of another network, although it has all that this one needs.
 */
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { Match, Matched, Unexpected } from './match.js';
import type { Model } from './model.js';
import type { ModelParameter } from './parameters.js';

/**
 * Those of them that are one more of what the network has: `layer3.6.conv1.weight` beside `layer3.5.conv1.weight` is of
 * a deeper network, which computes something else.
 */
export function ofDeeperNetwork({ matches, unexpected, scopes }: Matched): Unexpected[] {
  const patterns = new Set(
    matches.flatMap((match) => {
      const name = nameInScope(match.key, scopes[match.file]?.prefix ?? '');
      // A head under another name than the model's says nothing of its neighbours.
      return name !== undefined && isNamedSo(match, name) ? [numberless(name)] : [];
    }),
  );
  return unexpected.filter(({ key, file }) => {
    const name = nameInScope(key, scopes[file]?.prefix ?? '');
    return name !== undefined && patterns.has(numberless(name));
  });
}

/**
 * Those of them that may be what the graph stores without a name: an exporter that folds constants takes the names of
 * layer scales and the like away, and the graph would keep its own.
 */
export function maybeFolded(
  { builtIn, file }: Model,
  parameters: readonly ModelParameter[],
  { unexpected, scopes }: Matched,
): Unexpected[] {
  if (builtIn) return [];
  const known = new Set(parameters.flatMap(({ tensor, copies }) => [tensor, ...copies]));
  const nameless = new Set(
    file.graph.initializer
      .filter(({ name, dataType }) => dataType === FLOAT && !known.has(name))
      .map((proto) => elementCount(dimensions(proto)))
      .filter((count) => count > 1),
  );
  return unexpected.filter(({ file: at, key }) => {
    const tensor = scopes[at]?.table.tensors.get(key);
    return tensor !== undefined && nameless.has(elementCount(tensor.shape));
  });
}

const numberless = (name: string) => name.replace(/\d+/g, '#');

const nameInScope = (key: string, prefix: string) =>
  key.startsWith(prefix) ? key.slice(prefix.length) : undefined;

const isNamedSo = ({ parameter }: Match, name: string) =>
  parameter.names.some((one) => one === name || one.endsWith(`.${name}`));
