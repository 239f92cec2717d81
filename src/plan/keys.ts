/** The keys of a batch's draws: a program says which parameter of which cell each is for, a draw's number makes it. */
import type { Cell } from '../design/cells.js';
import { resetKey } from '../resets/parameter-resets.js';
import type { ParameterReset } from '../resets/parameters.js';

/** A parameter whose draw is chosen per batch. */
export interface KeyedParameter {
  cell: Cell;
  /** The name of the layer whose keys it has. */
  owner: ParameterReset['owner'];
  role: ParameterReset['role'];
}

/** @param drawOf - the number of a cell's draw */
export function keysOf(
  keyed: readonly KeyedParameter[],
  seed: number,
  drawOf: (cell: Cell) => number,
): BigUint64Array {
  return BigUint64Array.from(keyed, ({ cell, owner, role }) => resetKey(seed, owner, role, drawOf(cell)));
}
