/** What timm's transformers and convolutional networks have in common: rules and schemes for the same layers. */
import type { Rule } from './family.js';

/** The fan of one group, as in TensorFlow. */
export const perGroup: Rule = ['conv', 'kaiming-normal:fan-out/groups', 'zero'];
export const truncated: Rule = ['linear', 'trunc-normal:0.02'];
export const allTruncated: readonly Rule[] = [['all', 'trunc-normal:0.02']];
export const plain: readonly Rule[] = [['all', 'pytorch']];
