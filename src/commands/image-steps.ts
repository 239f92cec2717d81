/** What is done to pixels between decoding and the model, in words. */
import type { ImageSet } from '../images/index.js';

export function stepsOf({ transform, shape }: Pick<ImageSet, 'transform' | 'shape'>): string[] {
  if (transform.kind === 'tensors') return ['taken as they are'];
  const { resize, mean, std } = transform;
  return [
    ...(resize === null ? [] : [`short side to ${resize}`]),
    `${shape.width} x ${shape.height} at the centre`,
    `mean ${mean.join(' ')}`,
    `std ${std.join(' ')}`,
  ];
}
