/**
 * The image classifiers of Hugging Face's transformers: normals of deviation 0.02 but for a few, whatever the network.
 * `test/oracle/make_family_golden.py` asks them.
 */
import type { Family } from './family.js';

export const transformers: readonly Family[] = [
  {
    name: "transformers' ResNets and RegNets",
    signs: ['embedder.embedder.convolution'],
    rules: [
      ['conv', 'kaiming-normal:fan-out', 'pytorch'],
      ['linear', 'pytorch'],
    ],
  },
  {
    name: "transformers' PVT v2",
    signs: ['encoder.layers.#.patch_embedding.proj'],
    rules: [
      ['conv', 'kaiming-normal:fan-out/groups', 'zero'],
      ['linear', 'normal:0.02'],
    ],
  },
  {
    name: "transformers' networks",
    signs: [
      'conv embeddings.patch_embeddings',
      'conv patch_embeddings.projection',
      'conv patch_embeddings.#.projection',
      'conv patch_embeddings.proj',
      'conv patch_embed.patch_embedding.#',
      'conv conv_stem.convolution',
      'conv conv_stem.first_conv.convolution',
      'conv embeddings.convolution',
      'linear encoder.layer.#.attention.attention.query',
    ],
    rules: [['all', 'normal:0.02']],
  },
];
