/** The tables of tensors in an unpickled value, wherever they are nested. */
import { quoted } from '../errors.js';
import type { Contents, Hidden, Table } from './checkpoint-file.js';
import {
  PickledTensor,
  PickleError,
  PickleGlobal,
  PickleRecord,
  type PickleValue,
  TypedStorage,
} from './pickle-values.js';
import type { StoredTensor } from './stored-tensor.js';

/** State dicts lie two or three containers or records deep; what is deeper is something else. */
const DEEPEST = 8;
/** A longer key names no state dict. */
const LONGEST_KEY = 256;

/**
 * In the order of the file. A dict that is reached twice counts once, under the first name.
 * @throws PickleError where all there is are objects that only their own code could read
 */
export function findTables(root: PickleValue): Pick<Contents, 'tables' | 'hidden'> {
  const tables: Table[] = [];
  const hidden: Hidden[] = [];
  const seen = new Set<PickleValue>();
  const searched = new Set<PickleValue>();
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
    } else if (value instanceof PickleRecord && value.isKnown) {
      seen.add(value);
      visit(value.state, path, depth + 1);
      visit(value.entries, path, depth + 1);
    } else if (value instanceof PickleRecord) {
      seen.add(value);
      if (holdsTensor(value, searched)) hidden.push({ path, name: value.name });
    }
  };
  visit(root, [], 0);
  const [first = unknownAtTop(root)] = hidden;
  if (tables.length === 0 && first) {
    throw new PickleError(
      `what it holds is inside of ${quoted(first.name)}, which only its own code could read; nothing was executed`,
      'load it in Python, if you trust where it is from, and save model.state_dict()',
    );
  }
  return hidden.length > 0 ? { tables, hidden } : { tables };
}

/** A class or function in the place of the whole. */
function unknownAtTop(root: PickleValue): Hidden | undefined {
  const isUnknown = (root instanceof PickleRecord || root instanceof PickleGlobal) && !root.isKnown;
  return isUnknown ? { path: [], name: root.name } : undefined;
}

/** Whether tensors, or the bytes of some, are anywhere inside. What was searched before is not again. */
function holdsTensor(record: PickleRecord, searched: Set<PickleValue>): boolean {
  const waiting: PickleValue[] = [record];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (value instanceof PickledTensor || value instanceof TypedStorage) return true;
    if (typeof value !== 'object' || value === null || searched.has(value)) continue;
    searched.add(value);
    if (value instanceof PickleRecord) for (const part of value.parts()) waiting.push(part);
    else if (Array.isArray(value)) for (const item of value) waiting.push(item);
    else if (value instanceof Map) for (const item of value.values()) waiting.push(item);
  }
  return false;
}
