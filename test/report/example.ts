/**
 * Made-up summaries that look like real ones: layer names and shapes of known architectures, values from a
 * formula (early and widening layers matter most, the classifier always). No number here was measured.
 */
import { type Estimate, type LayerSummary, noEstimate, type Summary } from '../../src/run/summary.js';

interface ExampleLayer {
  layer: string;
  op: string;
  shape: number[];
}

/** What {@link exampleSummary} may be asked for. */
export interface ExampleOptions {
  name?: string;
  labels?: boolean;
  /** All of which see all images: the published design. */
  draws?: number;
  images?: number;
}

/** Conv and fc layers of torchvision's ResNets with basic or bottleneck blocks. */
function resnet(blocks: readonly number[], bottleneck: boolean): ExampleLayer[] {
  const layers: ExampleLayer[] = [{ layer: 'conv1', op: 'Conv', shape: [64, 3, 7, 7] }];
  const expansion = bottleneck ? 4 : 1;
  let input = 64;
  blocks.forEach((count, stage) => {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < count; block++) {
      const at = `layer${stage + 1}.${block}`;
      const kernels = bottleneck ? [1, 3, 1] : [3, 3];
      let channels = input;
      kernels.forEach((kernel, i) => {
        const output = i === kernels.length - 1 ? width * expansion : width;
        layers.push({ layer: `${at}.conv${i + 1}`, op: 'Conv', shape: [output, channels, kernel, kernel] });
        channels = output;
      });
      if (input !== channels)
        layers.push({ layer: `${at}.downsample.0`, op: 'Conv', shape: [channels, input, 1, 1] });
      input = channels;
    }
  });
  return [...layers, { layer: 'fc', op: 'Gemm', shape: [1000, input] }];
}

/** The layers of torchvision's resnet18: 21. */
export const resnet18Layers: readonly ExampleLayer[] = resnet([2, 2, 2, 2], false);
/** The layers of torchvision's resnet50: 54. */
export const resnet50Layers: readonly ExampleLayer[] = resnet([3, 4, 6, 3], true);

/** The layers of a ViT-B/16 under the long names of Hugging Face's transformers: 74. */
export const vitLayers: readonly ExampleLayer[] = [
  { layer: 'vit.embeddings.patch_embeddings.projection', op: 'Conv', shape: [768, 3, 16, 16] },
  ...Array.from({ length: 12 }, (_, block) => {
    const at = `vit.encoder.layer.${block}`;
    const square = ['attention.attention.query', 'attention.attention.key', 'attention.attention.value'];
    return [
      ...[...square, 'attention.output.dense'].map((name) => ({
        layer: `${at}.${name}`,
        op: 'MatMul',
        shape: [768, 768],
      })),
      { layer: `${at}.intermediate.dense`, op: 'MatMul', shape: [768, 3072] },
      { layer: `${at}.output.dense`, op: 'MatMul', shape: [3072, 768] },
    ];
  }).flat(),
  { layer: 'classifier', op: 'Gemm', shape: [1000, 768] },
];

/** A repeatable stream in [0, 1): a 32-bit linear congruential generator (Numerical Recipes' constants). */
function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A summary with plausible values for the given layers. */
export function exampleSummary(layers: readonly ExampleLayer[], options: ExampleOptions = {}): Summary {
  const { name = 'resnet50.example', labels = true, draws = 3, images = 1000 } = options;
  const random = stream(layers.length + name.length);
  const baseline = labels ? { top1: 80.1, top5: 95.2, loss: 0.912 } : null;
  return {
    version: 2,
    model: {
      name,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      layers: layers.length,
    },
    data: {
      source: 'imagenet/val',
      images,
      invalid: 0,
      fingerprint: '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752',
    },
    options: {
      images,
      dataSeed: 0,
      reset: 'random',
      init: 'auto',
      norm: 'keep',
      imagesPerDraw: 'all',
      trials: draws,
      seed: 0,
      confidence: 0.95,
      device: 'cpu',
      labels: labels ? 'folder' : 'none',
      critmap: '0.1.0',
    },
    baseline,
    layers: layers.map((layer, i) =>
      exampleLayer(layer, layers.length > 1 ? i / (layers.length - 1) : 0, {
        draws,
        images,
        baseline,
        random,
      }),
    ),
  };
}

function exampleLayer(
  { layer, op, shape }: ExampleLayer,
  depth: number,
  run: { draws: number; images: number; baseline: Summary['baseline']; random: () => number },
): LayerSummary {
  const { draws, images, baseline, random } = run;
  const vital =
    /conv1$|classifier|fc$|projection|downsample|\.0\.conv3/.test(layer) && !/[1-9]\.conv1$/.test(layer);
  const level = vital ? 0.82 + 0.17 * random() : (0.05 + 0.75 * random() ** 2) * (1 - 0.6 * depth);
  const perDraw = Array.from({ length: draws }, () => {
    const moved = Math.min(0.999, Math.max(0.001, level + (random() - 0.5) * 0.4 * level * (1 - level)));
    return { moved, agreed: Math.round(images * (1 - moved) ** 0.8), change: 1.2 + 0.3 * random() };
  });
  const over = (of: (draw: (typeof perDraw)[number]) => number) => mean(perDraw.map(of));
  const top1 = baseline && over(({ agreed }) => (baseline.top1 * agreed) / images);
  return {
    layer,
    op,
    shape,
    groups: 1,
    parameters: shape.reduce((product, extent) => product * extent, 1),
    depth,
    reset: 'random',
    init: 'kaiming-normal(fan-out)',
    images,
    draws,
    passes: images * draws,
    stoppedAt: null,
    invalid: 0,
    change: over(({ change }) => change),
    criticality: estimate(perDraw.map(({ moved }) => 100 * moved)),
    agreement: estimate(perDraw.map(({ agreed }) => (100 * agreed) / images)),
    cosine: over(({ moved }) => 1 - moved),
    l1: over(({ moved }) => 2 * moved),
    l2: over(({ moved }) => 1.2 * moved),
    kl: over(({ moved }) => 8 * moved ** 2),
    js: over(({ moved }) => moved ** 1.5),
    publishedCrossEntropy: over(({ moved }) => -300 * moved),
    top1,
    top5: baseline && over(({ moved }) => baseline.top5 * (1 - moved ** 2)),
    loss: baseline && over(({ moved }) => baseline.loss + 9 * moved ** 2),
    recovered: baseline && top1! / baseline.top1,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** An interval around its mean, of two draws or more. */
function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const centre = mean(values);
  if (n < 2) return { ...noEstimate, mean: centre };
  const sd = Math.sqrt(mean(values.map((value) => (value - centre) ** 2)) * (n / (n - 1)));
  const half = (2.2 * sd) / Math.sqrt(n);
  const ends = { mean: centre, low: centre - half, high: centre + half };
  return { ...noEstimate, ...ends, interval: 'crossed', sdDraws: sd, sdImages: 20, sdTrial: sd };
}
