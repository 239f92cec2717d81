/** What a comparison of logits gives. */

/** Per-image comparison of two N x C logit blocks; every array has N entries. */
export interface Comparison {
  images: number;
  /** Images whose top-1 class did not change (lowest index among equal maxima; invalid rows never agree). */
  agreement: number;
  /** Rows with a NaN or infinite logit in either block; their metrics are NaN, their counts 0. */
  invalid: number;
  /** p.q / (|p||q|) of the softmax probabilities. */
  cosine: Float64Array;
  l1: Float64Array;
  l2: Float64Array;
  /** KL(p||q) in nats. */
  kl: Float64Array;
  /** Jensen-Shannon divergence, base 2, in [0, 1]. */
  js: Float64Array;
  agree: Uint8Array;
  invalidRows: Uint8Array;
  /** -sum z_changed * log softmax(z_original): the published study's `pred_ce_loss`, per image. */
  publishedCrossEntropy: Float64Array;
  /** With labels only, of the *changed* logits: top-1 and top-5 hits (0/1) and cross-entropy in nats. */
  top1?: Uint8Array;
  top5?: Uint8Array;
  loss?: Float64Array;
}
