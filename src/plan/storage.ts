/**
 * Which tensors may share memory: tensors whose lives do not overlap take turns in one buffer. Greedy by first
 * use, best fit; a worker's activations then take little more than what is alive at once.
 */

/** A tensor's life: from the step that writes it first to the last that uses it. */
export interface Life {
  bytes: number;
  first: number;
  last: number;
}

/** @returns a buffer's number for every life, and the buffers' sizes in bytes */
export function shareStorage(lives: readonly Life[]): { buffers: number[]; sizes: number[] } {
  const order = lives.map((_, i) => i).sort((a, b) => (lives[a]?.first ?? 0) - (lives[b]?.first ?? 0));
  const buffers = lives.map(() => -1);
  const sizes: number[] = [];
  const freeAfter: number[] = [];
  for (const i of order) {
    const life = lives[i] as Life;
    let chosen = -1;
    for (let b = 0; b < sizes.length; b++) {
      // A small tensor that lives long, such as a cell's logits, must not hold a large buffer.
      if ((freeAfter[b] ?? 0) >= life.first || (sizes[b] ?? 0) > 2 * life.bytes) continue;
      if (chosen < 0 || waste(sizes[b], life.bytes) < waste(sizes[chosen], life.bytes)) chosen = b;
    }
    if (chosen < 0) {
      chosen = sizes.length;
      sizes.push(0);
    }
    buffers[i] = chosen;
    sizes[chosen] = Math.max(sizes[chosen] ?? 0, life.bytes);
    freeAfter[chosen] = life.last;
  }
  return { buffers, sizes };
}

/** What taking this buffer wastes: growing it costs as much as leaving a part of it unused. */
function waste(size = 0, bytes: number): number {
  return Math.abs(size - bytes);
}
