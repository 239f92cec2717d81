/** What every session of onnxruntime-node is made with, whatever it computes. */

/**
 * Optimisers that change what a model computes, by ONNX Runtime's names and separated by semicolons; the same as
 * cpp/onnxruntime/session.cpp turns off. Pad_Fusion makes padding of its own kind of a MaxPool's, minus infinity, of
 * the zeros that a Pad puts in front of it.
 */
const WRONG_OPTIMISERS = 'Pad_Fusion';

export const sessionOptions = {
  extra: { optimization: { disable_specified_optimizers: WRONG_OPTIMISERS } },
  executionProviders: ['cpu'],
  // Warnings about unused initialisers and the like would drown the progress line.
  logSeverityLevel: 3,
} as const;
