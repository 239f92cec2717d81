/**
 * Einsums that are a Linear: a stored tensor and something computed, summed over what the stored one's input channels
 * are. `bnc,dc->bnd` is one, and so is `bnd,dhk->bnhk`, whose output channels are heads x features.
 */
import type { Layout } from '../native/reset-rule.js';
import { elementCount } from './tensors.js';

export interface EinsumWeight {
  /** PyTorch's order: output channels first. */
  shape: number[];
  layout: Layout;
  fanIn: number;
  fanOut: number;
  /** What a bias has, the output channels as the result has them. */
  outputs: number[];
}

/**
 * @param slot which of the two operands is stored
 * @param dims the stored tensor's
 * @param turned the operand is its transpose
 * @returns undefined for what is no Linear, or has its elements in an order that no layout tells
 */
export function einsumWeight(
  equation: string,
  slot: 0 | 1,
  dims: readonly number[],
  turned: boolean,
): EinsumWeight | undefined {
  const match = /^([A-Za-z.]+),([A-Za-z.]+)->([A-Za-z.]*)$/.exec(equation.replace(/\s/g, ''));
  if (!match) return undefined;
  const [, left = '', right = '', result = ''] = match;
  const [term, other] = slot === 0 ? [left, right] : [right, left];
  const axes = [...term];
  if (turned) axes.reverse();
  if (axes.length !== dims.length || axes.includes('.') || new Set(axes).size !== axes.length)
    return undefined;
  const kinds = axes.map((axis) => {
    const [given, kept] = [other.includes(axis), result.includes(axis)];
    // Groups, which have weights of their own, are as output channels are.
    return kept ? 'output' : given ? 'input' : 'none';
  });
  if (kinds.includes('none')) return undefined;
  const sizes = (kind: string, groups: boolean) =>
    dims.filter((_, i) => kinds[i] === kind && (groups || !other.includes(axes[i] ?? '')));
  const [inputs, channels, outputs] = [sizes('input', true), sizes('output', true), sizes('output', false)];
  if (inputs.length === 0 || outputs.length === 0) return undefined;
  const [inner, rows] = [elementCount(inputs), elementCount(channels)];
  const fans = { fanIn: inner, fanOut: elementCount(outputs), outputs: channels };
  const order = kinds.join(' ');
  if (/^(output ?)+(input ?)+$/.test(order)) {
    return { shape: [...dims], layout: { channels: rows, inner }, ...fans };
  }
  if (!/^(input ?)+(output ?)+$/.test(order)) return undefined;
  return { shape: [...channels, ...inputs], layout: { channels: rows, inner: 1, transposed: true }, ...fans };
}
