/**
 * critmap from a script.
 *
 * ```ts
 * import { loadModel, openImages, sweep } from 'critmap';
 * const model = await loadModel('resnet.onnx');
 * const images = await openImages('photos/', { shape: { channels: 3, height: 224, width: 224 } });
 * const { summary } = await sweep(model, images, { out: 'runs/resnet' });
 * ```
 */
export { type BuildOptions, buildModel } from './architectures/build.js';
export { loadAnyModel as loadModel } from './architectures/load-any.js';
export { type Architecture, architectures } from './architectures/registry.js';
export type { ModelComparison } from './compare/compare.js';
export { type CompareRunsOptions, compareRuns } from './compare/compare-runs.js';
export type { FigureDataOptions } from './compare/figure-data.js';
export {
  type FigureFormat,
  type RenderedFigure,
  type RenderFiguresOptions,
  renderFigures,
} from './compare/render-figures.js';
export { CritmapError, type CritmapErrorCode } from './errors.js';
export type { FetchOptions, FetchProgress } from './fetch/options.js';
export { defaultCacheDirectory } from './files/cache-directory.js';
export {
  type ImageOptions,
  type ImageSet,
  type InputShape,
  openImages,
  type SkippedImage,
} from './images/index.js';
export type { InitChoice } from './initialisation/initials.js';
export { initSchemes } from './initialisation/scheme.js';
export {
  type ModuleCriticality,
  type ModuleCriticalityOptions,
  type ModuleResult,
  moduleCriticality,
} from './measures/module-criticality.js';
export {
  type Predictor,
  type PredictorCorrelation,
  type PredictorOptions,
  type PredictorRow,
  type Predictors,
  predictors,
} from './measures/predictors.js';
export type { GridPoint } from './measures/valley.js';
export { modelInput } from './model/input.js';
export { type ModelOptions, withWeights } from './model/load.js';
export type { LoadedWeights, Model } from './model/model.js';
export type { Comparison } from './native/addon.js';
export type { Precision } from './native/cards.js';
export { type Card, type DeviceBuffer, openCard } from './native/open-card.js';
export type { ResetRule } from './native/reset-rule.js';
export type { Layer } from './onnx/layers.js';
export { type PickFormat, pickText } from './pick/formats.js';
export {
  type LayerPick,
  type PickedLayer,
  type PickMetric,
  type PickOptions,
  pickLayers,
} from './pick/pick.js';
export { reportHtml } from './report/html.js';
export {
  compareLogits,
  type DeviceLogits,
  type Logits,
  type ResetWeightsOptions,
  resetWeights,
} from './resets/arrays.js';
export { loadFresh } from './resets/fresh.js';
export type { Reset } from './resets/kinds.js';
export { parseReset, parseResets } from './resets/parse.js';
export { type Run, readRun, type TrialMetric } from './run/read-run.js';
export type { DrawRow } from './run/summarise.js';
export type { Estimate, LayerSummary, Summary } from './run/summary.js';
export { mergeStudies } from './study/merge-study.js';
export { type FinishedStudy, readStudyResults } from './study/read-results.js';
export { type ReadStudyOptions, readStudy } from './study/read-study.js';
export type { StudyResults, StudyRow } from './study/results.js';
export { type RunStudyOptions, runStudy, type StudyEvent, type StudyFailure } from './study/run-study.js';
export type { Study, StudyModel, StudySweep } from './study/study.js';
export { writeStudyResults } from './study/write-results.js';
export { parseSweepEvent, type SweepEvent } from './sweep/events.js';
export type { LogitsPair, OnLogits } from './sweep/logits.js';
export { IncompleteRuns, type MergeOptions, mergeRuns } from './sweep/merge.js';
export type { Progress } from './sweep/progress.js';
export type { SweepOptions } from './sweep/settings.js';
export { type SweepResult, sweep } from './sweep/sweep.js';
export { version } from './version.js';
