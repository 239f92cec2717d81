/** The tables of tensors in an unpickled value, wherever they are nested. */
import type { Table } from './checkpoint-file.js';
import { PickledTensor, PickleRecord, type PickleValue } from './pickle-values.js';
import type { StoredTensor } from './stored-tensor.js';

/** State dicts lie two or three containers or records deep; what is deeper is something else. */
const DEEPEST = 8;
/** A longer key names no state dict. */
const LONGEST_KEY = 256;

/** In the order of the file. A dict that is reached twice counts once, under the first name. */
export function findTables(root: PickleValue): Table[] {
  const tables: Table[] = [];
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue, path: readonly string[], depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > DEEPEST || seen.has(value)) return;
    if (value instanceof Map) {
      seen.add(value);
      const tensors = new Map<string, StoredTensor>();
      for (const [key, item] of value) {
        if (typeof key === 'string' && item instanceof PickledTensor) tensors.set(key, item.tensor);
      }
      if (tensors.size > 0) tables.push({ path, tensors });
      for (const [key, item] of value) {
        if (typeof key !== 'string' && typeof key !== 'number') continue;
        const name = String(key);
        if (name.length <= LONGEST_KEY) visit(item, [...path, name], depth + 1);
      }
    } else if (Array.isArray(value)) {
      seen.add(value);
      for (const [i, item] of value.entries()) visit(item, [...path, String(i)], depth + 1);
    } else if (value instanceof PickleRecord) {
      seen.add(value);
      visit(value.state, path, depth + 1);
      visit(value.entries, path, depth + 1);
    }
  };
  visit(root, [], 0);
  return tables;
}
