/** Tensors that a checkpoint has apart, or in another shape, and the model as one: by names that are the model's already. */
import type { Table } from '../weights/checkpoint-file.js';
import { derivedTensor } from '../weights/derived-tensor.js';
import { readFloats, type StoredTensor } from '../weights/stored-tensor.js';
import { fileName } from './rename.js';

/** Tensors that become one along their first dimension. */
export interface Join {
  /** What their names have in turn, and in the same place the whole's. */
  readonly parts: readonly [string, ...string[]];
  readonly whole: string;
}

/** The table with each whole in the place of its parts; parts that are not all there, or do not fit together, stay. */
export function joined(table: Table, { parts, whole }: Join): Table {
  const tensors = new Map(table.tensors);
  const original = new Map(table.original);
  for (const name of table.tensors.keys()) {
    const at = name.lastIndexOf(parts[0]);
    if (at < 0) continue;
    const nameWith = (part: string) => name.slice(0, at) + part + name.slice(at + parts[0].length);
    const names = parts.map(nameWith);
    const stored = names.flatMap((one) => table.tensors.get(one) ?? []);
    const made = nameWith(whole);
    if (stored.length < parts.length || tensors.has(made) || !belongTogether(stored)) continue;
    for (const one of names) tensors.delete(one);
    tensors.set(made, concatenated(stored));
    original.set(made, names.map((one) => fileName(table, one)).join(', '));
  }
  return { path: table.path, tensors, original };
}

/** The table with matrices of such names as 1x1 convolutions. */
export function asConvolutions(table: Table, pattern: RegExp): Table {
  return viewed(table, pattern, (tensor) =>
    tensor.shape.length === 2
      ? { ...tensor, shape: [...tensor.shape, 1, 1], strides: [...tensor.strides, 1, 1] }
      : tensor,
  );
}

/** The table with tensors of such names, whose sides are 1 after the first, as vectors. */
export function asVectors(table: Table, pattern: RegExp): Table {
  return viewed(table, pattern, (tensor) =>
    tensor.shape.length > 1 && tensor.shape.slice(1).every((side) => side === 1)
      ? { ...tensor, shape: tensor.shape.slice(0, 1), strides: tensor.strides.slice(0, 1) }
      : tensor,
  );
}

function viewed(table: Table, pattern: RegExp, view: (tensor: StoredTensor) => StoredTensor): Table {
  const tensors = new Map(
    [...table.tensors].map(([name, tensor]) => [name, pattern.test(name) ? view(tensor) : tensor]),
  );
  return { ...table, tensors };
}

function belongTogether([first, ...others]: readonly StoredTensor[]): boolean {
  const inner = ({ shape }: StoredTensor) => shape.slice(1).join();
  return (
    first !== undefined &&
    first.shape.length > 0 &&
    [first, ...others].every((one) => one.type.readable && one.shape.length === first.shape.length) &&
    others.every((one) => inner(one) === inner(first))
  );
}

function concatenated(parts: readonly StoredTensor[]): StoredTensor {
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const shape = [rows, ...(parts[0]?.shape.slice(1) ?? [])];
  return derivedTensor('joined', shape, async () => {
    const values = new Float32Array(shape.reduce((count, size) => count * size, 1));
    let at = 0;
    for (const part of parts) {
      const read = await readFloats(part);
      values.set(read, at);
      at += read.length;
    }
    return values;
  });
}
