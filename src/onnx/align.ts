/**
 * Moves the bytes of stored tensors, where the parsed file has them, to where floats may lie: a view of them then
 * serves where a copy of every weight would be made. Only bytes that have been parsed are written over.
 */
import { setImmediate } from 'node:timers/promises';
import type { Graph } from './onnx_pb.js';

/** Moved between two turns of the event loop, some milliseconds' worth. */
const PIECE = 16 * 2 ** 20;

/**
 * A field's number and length come before its bytes: at least three bytes where those are this many, which is as
 * far as aligning to 4 moves them. Shorter tensors stay where they are.
 */
const LEAST = 128;

/** Changes where `rawData` lies, not what it holds. The buffer that was parsed must not be read again. */
export async function alignTensors(graph: Graph): Promise<void> {
  const constants = graph.node.flatMap((node) => node.attribute.flatMap(({ t }) => t ?? []));
  let moved = 0;
  for (const tensor of [...graph.initializer, ...constants]) {
    const { buffer, byteOffset, byteLength } = tensor.rawData;
    const shift = byteOffset % 4;
    if (shift === 0 || byteLength < LEAST) continue;
    const bytes = new Uint8Array(buffer, byteOffset - shift, byteLength + shift);
    for (let from = shift; from < bytes.length; from += PIECE) {
      if (moved >= PIECE) {
        await setImmediate();
        moved = 0;
      }
      bytes.copyWithin(from - shift, from, from + PIECE);
      moved += Math.min(PIECE, bytes.length - from);
    }
    tensor.rawData = bytes.subarray(0, byteLength);
  }
}
