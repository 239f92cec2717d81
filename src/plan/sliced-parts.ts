/**
 * The parts of a plan whose batches have several slices. Which tensors hold each image in rows of its own is asked of the
 * runtime, which takes a run and memory for each of them: so only of those at which a network may be cut, and of those
 * at which its layers would begin.
 */
import { type Cut, candidateCuts } from './cuts.js';
import { imageRows } from './image-rows.js';
import type { ImageSize } from './shapes.js';
import { type SharedParts, type SharedProblem, sharedParts } from './shared-parts.js';

export async function slicedParts(
  problem: Omit<SharedProblem, 'imageRows'>,
  size: ImageSize,
): Promise<{ cuts: Cut[]; shared: SharedParts }> {
  const { source, flow, shapes, batch, slices } = problem;
  const rows = new Map<string, number>();
  if (slices === 1) return sharedParts({ ...problem, imageRows: rows });
  const asked = new Set<string>();
  const ask = async (names: readonly string[]) => {
    const more = [...new Set(names)].filter((name) => !asked.has(name));
    for (const name of more) asked.add(name);
    for (const [name, count] of await imageRows(source, flow, more, size)) rows.set(name, count);
  };
  const { optimised, output } = source;
  const candidates = candidateCuts({ flow, output, optimised });
  await ask(candidates.flatMap(({ live }) => (live.length === 1 ? live : [])));
  const presumed = [...shapes].flatMap(([name, { dims }]): [string, number][] =>
    asked.has(name) ? [] : [[name, (dims[0] ?? 0) / batch]],
  );
  const { segments } = sharedParts({ ...problem, imageRows: new Map([...presumed, ...rows]) }).shared;
  const parts = [...segments, ...segments.flatMap(({ entries }) => entries)];
  await ask(parts.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
  return sharedParts({ ...problem, imageRows: rows });
}
