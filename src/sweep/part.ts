/**
 * A part of a sweep: some layers under some resets, over a range of chunks. All of a sweep is one, a shard is some of
 * them, and one is what a worker of a queue is given. What a part comes to is lines of the journal, which mean the same
 * wherever they were computed.
 */
import { type Cell, targetsOf } from '../design/cells.js';

export interface Part {
  /** Layers by name under resets by label. */
  targets: readonly { layer: string; reset: string }[];
  /** Chunks [from, to). */
  from: number;
  to: number;
}

export const chunkCount = (images: number, chunk: number) => Math.ceil(images / chunk);

/** All of a sweep. */
export function wholeOf(cells: readonly Cell[], chunks: number): Part {
  const targets = targetsOf(cells).map(({ layer, reset }) => ({ layer: layer.name, reset: reset.label }));
  return { targets, from: 0, to: chunks };
}

/** Of a layer under a reset, whatever their names are. */
export const targetKey = (layer: string, reset: string) => JSON.stringify([layer, reset]);

/** The cells that parts need, numbered anew: what is not computed here needs no engine. */
export function cellsOfParts(cells: readonly Cell[], parts: readonly Part[]): Cell[] {
  const wanted = new Set(
    parts.flatMap(({ targets }) => targets.map(({ layer, reset }) => targetKey(layer, reset))),
  );
  return cells
    .filter(({ layer, reset }) => wanted.has(targetKey(layer.name, reset.label)))
    .map((cell, index) => ({ ...cell, index }));
}

/** Whether some part has a layer and reset in a chunk. */
export function coverage(
  parts: readonly Part[],
): (target: { layer: string; reset: string }, chunk: number) => boolean {
  const ranges = new Map<string, { from: number; to: number }[]>();
  for (const { targets, from, to } of parts) {
    for (const { layer, reset } of targets) {
      const key = targetKey(layer, reset);
      const known = ranges.get(key);
      if (known) known.push({ from, to });
      else ranges.set(key, [{ from, to }]);
    }
  }
  return ({ layer, reset }, chunk) =>
    ranges.get(targetKey(layer, reset))?.some(({ from, to }) => from <= chunk && chunk < to) ?? false;
}
