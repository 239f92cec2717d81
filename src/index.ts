/**
 * critmap from a script.
 *
 * ```ts
 * import { loadModel, openImages, sweep } from 'critmap';
 * const model = await loadModel('resnet.onnx');
 * const images = await openImages('photos/', { shape: { channels: 3, height: 224, width: 224 } });
 * const { summary } = await sweep(model, images, { trials: 3, out: 'runs/resnet' });
 * ```
 */
export { type BuildOptions, buildModel } from './architectures/build.js';
export { type Architecture, architectures } from './architectures/registry.js';
export type { Precision } from './cuda.js';
export { CritmapError, type CritmapErrorCode } from './errors.js';
export {
  defaultCacheDirectory,
  type ImageOptions,
  type ImageSet,
  type InputShape,
  openImages,
  type SkippedImage,
} from './images/index.js';
export { type InitScheme, initSchemes } from './initialisers.js';
export { loadModel, type Model, type ModelOptions, withWeights } from './model.js';
export { modelInput } from './model-input.js';
export type { Comparison, ResetRule } from './native.js';
export type { Layer } from './onnx/layers.js';
export type { Progress } from './progress.js';
export { reportHtml } from './report/html.js';
export type { Reset } from './reset.js';
export { parseReset, parseResets } from './reset-spec.js';
export { type Run, readRun, type TrialMetric } from './results.js';
export type { Estimate, LayerSummary, Summary, TrialSummary } from './summary.js';
export { type SweepResult, sweep } from './sweep.js';
export type { SweepOptions } from './sweep-settings.js';
export { compareLogits, type Logits, type ResetWeightsOptions, resetWeights } from './tensors-api.js';
export { version } from './version.js';
export type { LoadedWeights } from './weights/overlay.js';
