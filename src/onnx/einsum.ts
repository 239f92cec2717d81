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

type Kind = 'input' | 'output' | 'none';

interface Operand {
  /** The stored operand's axes in their stored order, and what each is. */
  axes: string[];
  kinds: Kind[];
  other: string;
}

function operandOf(equation: string, slot: 0 | 1, rank: number, turned: boolean): Operand | undefined {
  const match = /^([A-Za-z.]+),([A-Za-z.]+)->([A-Za-z.]*)$/.exec(equation.replace(/\s/g, ''));
  if (!match) return undefined;
  const [, left = '', right = '', result = ''] = match;
  const [term, other] = slot === 0 ? [left, right] : [right, left];
  const axes = [...term];
  if (turned) axes.reverse();
  if (axes.length !== rank || axes.includes('.') || new Set(axes).size !== axes.length) return undefined;
  const kinds = axes.map((axis): Kind => {
    const [given, kept] = [other.includes(axis), result.includes(axis)];
    // Groups, which have weights of their own, are as output channels are.
    return kept ? 'output' : given ? 'input' : 'none';
  });
  return { axes, kinds, other };
}

/** Whether it would be a Linear but for the order of its axes: `hcd`, with input channels c between output channels. */
export function isInterleaved(equation: string, slot: 0 | 1, rank: number, turned: boolean): boolean {
  const { kinds = [] } = operandOf(equation, slot, rank, turned) ?? {};
  return !kinds.includes('none') && /input.*output.*input|output.*input.*output/.test(kinds.join(' '));
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
  const operand = operandOf(equation, slot, dims.length, turned);
  if (!operand) return undefined;
  const { axes, kinds, other } = operand;
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
