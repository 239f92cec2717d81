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
let at = 0;
const parts: Buffer[] = [];
const header = Object.fromEntries(
  parametersOf(source)
    .filter(({ required }) => required)
    .map(({ names, tensor, shape }) => {
      const from = at;
      const values = source.values(tensor);
      parts.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
      at += values.byteLength;
      return [names[0], { dtype: 'F32', shape, data_offsets: [from, at] }];
    }),
);
export const weights = safetensors(header, Buffer.concat(parts));
