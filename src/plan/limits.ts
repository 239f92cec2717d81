/** What a plan may use, which differs between a processor and a card. Pure. */
import type { CudaLayout } from '../native/engine.js';

export interface PlanLimits {
  /**
   * null: every layer has a session of its own, which begins at the layer and has a copy of the weights behind it. A
   * number: weights are inputs of sessions, so that parts that are alike share one, and layers begin together where
   * otherwise there would be more sessions than this (resets of activations may take some more).
   */
  sessions: number | null;
  /**
   * A number: segments that are as trained have sessions of their own with their weights as constants, and a
   * multiply-accumulate costs more by this share in those that are given weights. Only where sessions are shared.
   */
  slower: number | null;
  /** Bytes of activations that one worker keeps for the layers of a segment; only where sessions are not shared. */
  kept: number;
  /** Bytes of all cells' logits that are kept until the original's are there; above it those are computed ahead. */
  keptLogits: number;
  /** What calling a session once more costs, in multiply-accumulates of one batch; only where sessions are shared. */
  call: number;
  /** What one node costs in a session that is called for every slice of a batch, in multiply-accumulates of a slice. */
  launch: number;
}

/**
 * A session costs a processor nothing but its weights, while what is computed twice costs time in every cell. Beyond
 * 80 MiB of activations a core, two cuts were faster than keeping them.
 */
export const processorLimits: PlanLimits = {
  sessions: null,
  slower: null,
  kept: 80 * 2 ** 20,
  keptLogits: 32 * 2 ** 20,
  call: 0,
  launch: 0,
};

/**
 * On a card each session has handles of cuBLAS and cuDNN with memory of their own, and takes some tenths of a second to
 * open: a hundred of them would take more memory than a ResNet-50 at 128 images. What is computed twice with twelve
 * is a few percent. Logits of a thousand cells lie in a card's memory as well as anywhere. Calling a session
 * takes some 30 microseconds, in which a card does about 1e9 multiply-accumulates; since the host mostly runs ahead of
 * the card a quarter of that is counted, and as much of the 5 microseconds in which a kernel is started. No card has
 * shown these numbers yet.
 */
export const cardLimits: PlanLimits = {
  sessions: 12,
  slower: null,
  kept: 0,
  keptLogits: 2 ** 29,
  call: 2.5e8,
  launch: 4e7,
};

/**
 * With channels last ONNX Runtime takes the weights of a convolution only where they are constants (it packs them when
 * a session is made; what is given it reads channels first, which no fast kernel of cuDNN takes beside images of
 * channels last). So segments in which nothing is reset have sessions of their own, and a copy of their weights. How
 * much slower the others are no card has shown.
 */
const channelsLastLimits: PlanLimits = { ...cardLimits, sessions: 24, slower: 0.5 };

export const limitsOnCards = (layout: CudaLayout): PlanLimits =>
  layout === 'nhwc' ? channelsLastLimits : cardLimits;
