/**
 * What may make a sweep of a model mean less than it seems: layers that cannot be reset, folded BatchNorm, an
 * output that is not logits. Each one line, with what to do.
 */
import type { GraphIndex } from './graph.js';
import type { ModelIo } from './io.js';
import type { Layer } from './layers.js';
import type { OnnxFile } from './model.js';

export function doubtsOf(file: OnnxFile, index: GraphIndex, io: ModelIo, layers: readonly Layer[]): string[] {
  const doubts: string[] = [];
  const doubt = (text: string) => doubts.push(`${file.path}: ${text}`);

  const used = new Set(layers.map((layer) => layer.weight.tensor));
  const skipped = file.graph.node.filter(
    ({ opType, input }) =>
      /^Conv(Transpose)?$|^QLinear|Integer$/.test(opType) && !leadsToOne(index, input[1], used),
  );
  if (skipped.length > 0) {
    const names = skipped.slice(0, 3).map((node) => node.name || node.output[0] || node.opType);
    doubt(
      `${skipped.length} convolution(s) have a weight that is computed or of a kind critmap does not reset and are left out: ${names.join(', ')}${skipped.length > 3 ? ', ...' : ''}`,
    );
  }

  const convolutions = layers.filter((layer) => layer.op === 'Conv');
  const folded = convolutions.filter((layer) => layer.bias !== null && layer.norm === null);
  if (convolutions.length > 2 && folded.length > convolutions.length / 2 && !hasNorm(file)) {
    doubt(
      'its convolutions have biases and no BatchNorm. If the export folded BatchNorm into them, a reset also resets the norms: export again with BatchNorm kept (see the README), or use --init match',
    );
  }

  if (index.producer.get(io.output)?.opType === 'Softmax') {
    doubt(
      `its output ${io.output} is a softmax, not logits; the comparison takes the softmax of it once more. Export without it`,
    );
  }
  if (io.classes === 1) doubt('it has one class, so no prediction can change');
  return doubts;
}

function leadsToOne(index: GraphIndex, name: string | undefined, used: ReadonlySet<string>): boolean {
  let current = name ?? '';
  for (let steps = 0; steps <= index.graph.node.length; steps++) {
    if (used.has(current)) return true;
    const maker = index.producer.get(current);
    if (!maker || !/^(Identity|Transpose)$/.test(maker.opType)) return false;
    current = maker.input[0] ?? '';
  }
  return false;
}

/** Norms that are not folded: the model was not made for folding, or was not folded. */
function hasNorm(file: OnnxFile): boolean {
  return file.graph.node.some(({ opType }) => /Normalization$/.test(opType));
}
