/** What the hub has of a small model of timm's: its configuration and its weights. */
import { buildModel } from '../../src/architectures/build.js';
import { parametersOf } from '../../src/model/parameters.js';
import { safetensors } from '../weights/build-checkpoints.js';

/** As timm writes it for a model with the sizes of training and of evaluation. */
export const config = {
  architecture: 'convnext_atto',
  num_classes: 5,
  num_features: 320,
  global_pool: 'avg',
  pretrained_cfg: {
    tag: 'a1_in1k',
    input_size: [3, 224, 224],
    test_input_size: [3, 288, 288],
    interpolation: 'bicubic',
    crop_pct: 0.95,
    crop_mode: 'center',
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.3, 0.4],
    num_classes: 5,
    first_conv: 'stem.0',
    classifier: 'head.fc',
  },
};

/** Weights of another seed than the one that a network without weights has. */
const source = await buildModel('convnext_atto', { classes: 5, size: 32, seed: 9 });
const parameters = parametersOf(source).filter(({ required }) => required);

/** A file of some of them. */
function file(isIn: (index: number) => boolean): Buffer {
  let at = 0;
  const bytes: Buffer[] = [];
  const header = parameters
    .filter((_, i) => isIn(i))
    .map(({ names, tensor, shape }) => {
      const from = at;
      const values = source.values(tensor);
      bytes.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
      at += values.byteLength;
      return [names[0], { dtype: 'F32', shape, data_offsets: [from, at] }];
    });
  return safetensors(Object.fromEntries(header), Buffer.concat(bytes));
}

export const weights = file(() => true);

/** The same in two files, every other parameter in each, with the index that names them. */
const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
export const weightsInParts: Record<string, Buffer> = {
  [names[0]!]: file((i) => i % 2 === 0),
  [names[1]!]: file((i) => i % 2 === 1),
  'model.safetensors.index.json': Buffer.from(
    JSON.stringify({
      weight_map: Object.fromEntries(parameters.map(({ names: [name] }, i) => [name, names[i % 2]])),
    }),
  ),
};
