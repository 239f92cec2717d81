/**
 * timm's families, as its freshly built models are (1.0): weights and biases of convolutions and linear layers. Where
 * torchvision has the same network under the same names it starts it likewise. `test/oracle/make_family_golden.py` asks
 * timm.
 */
import type { Family } from './family.js';
import { convolutional } from './timm-convolutional.js';
import { transformers } from './timm-transformers.js';

export const timm: readonly Family[] = [...transformers, ...convolutional].map((family) => ({
  ...family,
  name: `timm's ${family.name}`,
}));
