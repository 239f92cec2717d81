/** Whether images are normalised as a checkpoint was trained. */
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';

const HALF = 0.5;

/** Of a built-in architecture with a checkpoint: its own weights' normalisation may not be that of others. */
export function normalisationDoubts(
  { builtIn, weights, file }: Pick<Model, 'builtIn' | 'weights'> & { file: { path: string } },
  { transform }: Pick<ImageSet, 'transform'>,
): string[] {
  if (!builtIn || !weights || transform.kind !== 'pixels') return [];
  if (![...transform.mean, ...transform.std].every((value) => value === HALF)) return [];
  return [
    `${file.path}: images are normalised by mean and std 0.5, as timm's own weights of ${builtIn.architecture} want it; checkpoints of MAE, DINO and DeiT want ImageNet's (--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)`,
  ];
}
