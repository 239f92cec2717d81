/**
 * Where tensors lie in one block of memory: tensors whose lives overlap lie apart, others may share a place. The
 * largest are placed first, each as low as it can be; a worker's activations then take little more than what is
 * alive at once.
 */

/** A tensor's life: from the step that writes it first to the last that uses it. */
export interface Life {
  bytes: number;
  first: number;
  last: number;
}

/** Vector loads want tensors to start at multiples of this. */
const ALIGNMENT = 64;

/** @returns an offset for every life, a multiple of 64, and the bytes of the whole block */
export function shareStorage(lives: readonly Life[]): { offsets: number[]; bytes: number } {
  const offsets = lives.map(() => 0);
  // Those already placed, by the steps that they live in.
  const alive: number[][] = [];
  const order = lives.map((_, i) => i).sort((a, b) => (lives[b]?.bytes ?? 0) - (lives[a]?.bytes ?? 0));
  let bytes = 0;
  for (const i of order) {
    const { first, last, bytes: size } = lives[i] as Life;
    const others = new Set<number>();
    for (let step = first; step <= last; step++) for (const other of alive[step] ?? []) others.add(other);
    const taken = [...others].sort((a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0));
    let at = 0;
    for (const other of taken) {
      const begin = offsets[other] ?? 0;
      if (at + size <= begin) break;
      at = Math.max(at, aligned(begin + (lives[other]?.bytes ?? 0)));
    }
    offsets[i] = at;
    bytes = Math.max(bytes, at + size);
    for (let step = Math.max(0, first); step <= last; step++) {
      const list = alive[step];
      if (list) list.push(i);
      else alive[step] = [i];
    }
  }
  return { offsets, bytes: aligned(bytes) };
}

export function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
