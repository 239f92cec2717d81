/** How much memory a session takes for what is inside of it, from the graph alone. Pure. */
import type { TensorShape } from '../onnx/value-info.js';
import type { Part } from './extract.js';
import { bytesOf } from './lay-out.js';

/** Operators that may write over what they read; ONNX Runtime lets them where nobody reads it again. */
const inPlace: ReadonlySet<string> = new Set(
  'Relu LeakyRelu Clip Sigmoid HardSigmoid HardSwish Elu Tanh Add Sub Mul Div Sqrt Erf Softmax'.split(' '),
);

/**
 * The most bytes of tensors inside a part that are alive at once: those that are neither inputs nor outputs of it. What
 * is made of weights alone is small and not counted.
 */
export function insideBytes(
  { nodes, inputs, outputs }: Part,
  shapes: ReadonlyMap<string, TensorShape>,
): number {
  const outside = new Set([...inputs, ...outputs]);
  const bytes = (name: string) => {
    const shape = shapes.get(name);
    return shape && !outside.has(name) ? bytesOf(shape) : 0;
  };
  const lastRead = new Map<string, number>();
  for (const [at, { input }] of nodes.entries()) for (const name of input) lastRead.set(name, at);
  let [alive, most] = [0, 0];
  for (const [at, { opType, input, output }] of nodes.entries()) {
    const ending = [...new Set(input)].filter((name) => lastRead.get(name) === at);
    const freed = ending.reduce((sum, name) => sum + bytes(name), 0);
    const made = output.reduce((sum, name) => sum + bytes(name), 0);
    const over = inPlace.has(opType) && ending.some((name) => bytes(name) > 0 && bytes(name) >= made);
    most = Math.max(most, alive + (over ? 0 : made));
    alive += made - freed;
    // Nobody reads it.
    for (const name of output) if (!lastRead.has(name)) alive -= bytes(name);
  }
  return most;
}
