/** Stored tensors that convolutions and products take as they take weights, and that are none. */
import { attributeInt, type GraphIndex, onlyConsumer } from './graph.js';
import { modulePath } from './names.js';
import type { Node, Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT, floats } from './tensors.js';

/** @returns what the node's stored tensor is instead of a weight */
export function whyNoLayer(index: GraphIndex, node: Node, tensor: Tensor): string | undefined {
  if (node.opType === 'Conv') {
    const sum = fixedSum(node, tensor);
    if (sum === 1) return 'a fixed smoothing kernel, the same in every channel';
    if (sum === 0) return 'a fixed kernel of differences, the same in every channel';
  }
  if (node.opType === 'Einsum' && isLookup(tensor)) return 'a table of zeros and ones that looks others up';
  return isPositionTable(index, node, tensor) ? 'a table of relative positions' : undefined;
}

/** What a sum of rounded numbers may be off by. */
const ROUNDING = 1e-3;

/**
 * Blurs before strides (Zhang, 2019, arXiv:1904.11486), and derivatives (Sobel, Laplace): no training gives all channels
 * the same weighted mean, or the same differences of whole numbers.
 * @returns what the kernel's numbers add up to, where it is one of these
 */
function fixedSum(node: Node, tensor: Tensor): 0 | 1 | undefined {
  const [channels = 0, inputs, ...kernel] = dimensions(tensor);
  const size = elementCount(kernel);
  // Of a built-in network whose values are not drawn yet there are none.
  const isThere = tensor.dataType === FLOAT && (tensor.rawData.byteLength > 0 || tensor.floatData.length > 0);
  if (!isThere || inputs !== 1 || channels < 2 || size < 2 || attributeInt(node, 'group', 1) !== channels)
    return undefined;
  const values = floats(tensor);
  const first = values.subarray(0, size);
  if (!values.every((value, i) => value === first[i % size])) return undefined;
  const sum = first.reduce((total, value) => total + value, 0);
  if (Math.abs(sum - 1) <= ROUNDING && first.every((value) => value >= 0)) return 1;
  const smallest = Math.min(...first.filter((value) => value !== 0).map(Math.abs));
  const isWhole = first.every((value) => Number.isInteger(Math.fround(value / smallest)));
  return Math.abs(sum) <= ROUNDING * smallest && Number.isFinite(smallest) && isWhole ? 0 : undefined;
}

/** One-hot rows, with which MaxViT's tables of positions are laid out. */
function isLookup(tensor: Tensor): boolean {
  if (tensor.dataType !== FLOAT) return false;
  const values = floats(tensor);
  return values.includes(1) && values.includes(0) && values.every((value) => value === 0 || value === 1);
}

/** What such parameters are called, and the modules that hold them. */
const named =
  /(^|[._])(rel_(height|width|h|w)|(height|width)_rel|rel_pos_[hw]|relative_position\w*|rel_pos\w*)$/;
const holding = /(^|\.)(rel_?pos\w*|pos_?embed\w*)$/;
const arranging = /^(Reshape|Transpose|Identity|Squeeze|Unsqueeze)$/;

/**
 * Queries by a table with a row for every distance (Shaw et al., 2018, arXiv:1803.02155): known by its name, or by
 * what makes absolute positions of its 2 n - 1 columns, a Pad.
 */
function isPositionTable(index: GraphIndex, node: Node, tensor: Tensor): boolean {
  if (node.opType !== 'MatMul') return false;
  if (named.test(tensor.name)) return true;
  let next = onlyConsumer(index, node.output[0]);
  // A Linear adds its bias.
  if (next?.opType === 'Add') return false;
  if (holding.test(modulePath(node) ?? '')) return true;
  for (let steps = 0; steps < 6 && next && arranging.test(next.opType); steps++) {
    next = onlyConsumer(index, next.output[0]);
  }
  return next?.opType === 'Pad' && dimensions(tensor).some((size) => size % 2 === 1);
}
