/**
 * Every option of a sweep that a program, the command line and a file can give: one entry each, from which the types,
 * checks, defaults, help and JSON Schema follow. Options of images are in `images/options.ts`.
 */
import { z } from 'zod';
import { groupings } from '../design/groups.js';
import { imageOptions } from '../images/options.js';
import { layerParts } from '../model/layer-group.js';
import { includable, normChoices } from '../model/target-choice.js';
import { precisions } from '../native/cards.js';
import { type OptionSettings, type OptionValues, whole, words } from '../options.js';
import { resetForms } from '../resets/kinds.js';
import { imageMetrics } from '../run/image-numbers.js';

const measured = 'What is measured:';
const computing = 'Computing:';

/**
 * Each draw of the same images is a cell of its own, in memory from the beginning to the end: 10,000 of two layers take 350 MB.
 * Fresh draws for every few images have no such limit.
 */
export const MOST_TRIALS = 10_000;

/** Of the engine; the addon refuses more. */
const MOST_THREADS = 1024;

const globs = () => z.array(z.string()).readonly();
const ofLayers = 'a list of layer names or globs';

export const sweepOptions = {
  /** Globs over layer names; default all. */
  layers: globs().default([]).meta({
    description: 'Reset only layers whose names match these globs',
    group: measured,
    wanted: ofLayers,
  }),
  exclude: globs().default([]).meta({
    description: 'Reset no layers whose names match these globs',
    group: measured,
    wanted: ofLayers,
  }),
  /**
   * What one cell resets: a `layer` (default; also `independent`), all layers of a `block`, of a `stage` or of the model
   * (`all`), `pairs`, a cascade (`cumulative-from-output`, `cumulative-from-input`), or the layers in which a regular
   * expression captures the same.
   */
  group: words()
    .default('layer')
    .meta({
      description:
        'Reset together: layer, block, stage, all, pairs, cumulative-from-output or -input, or by a REGEX',
      group: measured,
      wanted: `one of ${groupings.join(', ')}, or a regular expression`,
    }),
  /** Default `auto`; see {@link InitChoice}. */
  init: z
    .union([z.string(), z.array(z.string()).readonly()])
    .default('auto')
    .meta({
      description:
        "What random resets draw from: a scheme, or 'GLOB=SCHEME[:ARGS]' for some layers; repeatable",
      group: measured,
      wanted: 'a scheme or a list of GLOB=SCHEME',
    }),
  /** Layers without a bias are left out of `bias`, and said to be. */
  parts: z.enum(layerParts).default('both').meta({
    description: "Which of a layer's own parameters are reset",
    group: measured,
  }),
  /** Norms as layers of their own, each with its statistics. Default none. */
  include: z.enum(includable).optional().meta({
    description: 'What else becomes a layer of its own: norms, with their statistics',
    group: measured,
  }),
  /** Attention's fused queries, keys and values as three layers, each a third of the rows. */
  splitQkv: z.boolean().default(false).meta({
    description: "Take attention's fused qkv, or in_proj, as three layers: q, k and v",
    group: measured,
  }),
  /**
   * `reset`: the BatchNorm behind a convolution starts fresh whatever the reset; `with-layer`: the norm right behind a
   * layer, of any kind, takes part in the layer's reset.
   */
  norm: z.enum(normChoices).default('keep').meta({
    description:
      'The norm behind a reset layer: keep, reset (BatchNorm to its fresh state), with-layer (likewise)',
    group: measured,
  }),
  /** Images that share draws of their own: a new draw for every so many; `all` for the crossed design. Default 8. */
  imagesPerDraw: z
    .union([whole(1), z.literal('all')])
    .optional()
    .meta({
      description: 'How many images share a draw, or all: then each draw sees every image (default 8)',
      group: measured,
      wanted: 'a whole number from 1, or all',
    }),
  /**
   * Draws for the same images, up to 10,000; alone it means the crossed design, as before there was another. Default 1.
   */
  trials: whole(1, MOST_TRIALS).optional().meta({
    description: 'How many draws see the same images; given alone, each draw sees all images',
    group: measured,
  }),
  /** The published design: 3 draws that see all images. */
  published: z.boolean().default(false).meta({
    description: 'Use the published design: 3 draws, each of which sees 10,000 images',
    group: measured,
  }),
  /** Percentage points: a layer stops when its anytime-valid interval is within so much of its criticality. */
  tolerance: z.number().min(0.1).max(50).optional().meta({
    description: 'Stop with a layer once its criticality is known to within so many percentage points',
    group: measured,
  }),
  simultaneous: z.boolean().default(false).meta({
    description: 'With --tolerance: make the intervals hold for all layers at once',
    group: measured,
  }),
  seed: whole(0).default(0).meta({ description: 'Seed of the random weights', group: measured }),
  /** Of the intervals; default 0.95. */
  confidence: z
    .number()
    .min(0.5)
    .max(0.9999)
    .default(0.95)
    .meta({ description: 'Confidence level of the intervals', group: measured }),
  /** Metrics that every image gets, in a .npy file for each layer; default none. */
  perImage: z
    .array(z.enum(imageMetrics))
    .readonly()
    .default([])
    .meta({
      description: 'Write what every image got, a .npy file a layer and metric; alone: the cosine similarity',
      group: measured,
      wanted: `a list of metrics: ${imageMetrics.join(', ')}`,
      alone: ['cosine'],
    }),
  perImageMean: z.boolean().default(false).meta({
    description: 'With --per-image: the mean over the draws of an image instead of each of them',
    group: measured,
  }),
  perClass: z.boolean().default(false).meta({
    description: 'Write a table of layers and classes, per-class.csv; needs labels',
    group: measured,
  }),
  /** Default `fast`; `reference` is the published algorithm, run the slow way. */
  engine: z.enum(['fast', 'reference']).default('fast').meta({
    description: 'fast, or reference: the published algorithm, which computes every cell from the images on',
    group: computing,
  }),
  /**
   * What the fast engine computes on: `auto` (default), `cpu`, `cuda`, `cuda:N`, or several cards, `cuda:0,1` or
   * `cuda:all`, which take batches in turn.
   */
  device: words().default('auto').meta({
    description:
      'What computes: auto (cpu), cpu, cuda, cuda:N, cuda:0,1 or cuda:all; critmap devices lists them',
    group: computing,
  }),
  /** Of products on a card: `fp32` (default, exact), `tf32` or `fp16`; the processor's are fp32. */
  precision: z.enum(precisions).default('fp32').meta({
    description: 'What a card computes products in: float32 (exact), TF32 or float16',
    group: computing,
  }),
  /**
   * Images per inference call; default 8 at 224 x 224, up to 64 for smaller images, and on cards as many as have room, up to
   * 256. Never more than see one draw.
   */
  batch: whole(1).optional().meta({
    description: 'Images per inference call (default: 8 at 224 pixels; on a card what has room, up to 256)',
    group: computing,
  }),
  /** Up to 1024; default all cores. */
  threads: whole(1, MOST_THREADS).optional().meta({
    description:
      'How many threads compute (default: as many as the job, its control group and its cores allow)',
    group: computing,
  }),
};

/** What is done to layers, in words; from a program it is `resets`, which hold their donors. */
export const resetOption = z
  .array(z.string())
  .readonly()
  .default(['random'])
  .meta({
    description: `What is done to a layer's weights, or to what it gives (may be given several times): ${resetForms}`,
    group: measured,
  });

export type SweepValues = OptionValues<typeof sweepOptions>;
export type SweepChoices = OptionSettings<typeof sweepOptions>;

/** A sweep's options as a file has them: JSON or YAML, named as in the API. */
export const sweepFile = z.strictObject({
  ...imageOptions,
  ...sweepOptions,
  reset: resetOption,
});
