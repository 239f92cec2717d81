/** Tensors of a checkpoint that lie outside of the place that its weights were taken from. */
import type { Table } from '../weights/checkpoint-file.js';
import type { StoredTensor } from '../weights/stored-tensor.js';
import type { Scope } from './scope.js';

/** So many tensors whose names begin alike. */
export interface Outside {
  /** `module.predictor.*`, or a name. */
  readonly place: string;
  readonly tensors: number;
}

/** An optimizer's averages are no parameters of a network. */
const ofTraining = /optim|sched|scaler/i;

/**
 * Floating-point tensors outside of a place, counted by what follows the part of their names that is the place's too.
 *
 * @param others places that have the model as well, whose tensors are not counted
 * @param isKnown what has become a parameter, or is told of otherwise
 */
export function outsideOf(
  tables: readonly Table[],
  scope: Scope,
  others: readonly Scope[],
  isKnown: (table: Table, key: string, tensor: StoredTensor) => boolean,
): Outside[] {
  const inside = [scope, ...others];
  const place = [...scope.table.path, ...scope.prefix.split('.')];
  const counts = new Map<string, number>();
  for (const table of tables) {
    if (table.path.some((part) => ofTraining.test(part))) continue;
    for (const [key, tensor] of table.tensors) {
      // A single number, such as the best accuracy, is no weight.
      if (!tensor.type.floating || tensor.shape.length === 0) continue;
      if (inside.some((one) => one.table === table && key.startsWith(one.prefix))) continue;
      if (isKnown(table, key, tensor)) continue;
      const parts = [...table.path, ...key.split('.')];
      const differs = parts.findIndex((part, i) => part !== place[i]);
      const group = parts.slice(0, differs + 1).join('.') + (differs < parts.length - 1 ? '.*' : '');
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
  }
  return [...counts].map(([place, tensors]) => ({ place, tensors }));
}
