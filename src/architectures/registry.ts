/**
 * The built-in architectures by timm's names, with what timm's default weights of that name expect of images. The
 * parameters, too, have timm's names and shapes, so its checkpoints fit.
 */
import { distance } from 'fastest-levenshtein';
import { CritmapError } from '../errors.js';
import type { NetworkOptions, Variation } from './builder.js';
import { type ConvNextOptions, convnextNetwork } from './convnext.js';
import { densenetNetwork } from './densenet.js';
import type { Network } from './network.js';
import { type ResNetOptions, resnetNetwork } from './resnet.js';
import { type VitOptions, vitNetwork } from './vit.js';

/** What is known of a built-in architecture besides its graph. */
export interface Architecture {
  /** timm's name of it. */
  name: string;
  /** Edge of its images in pixels, unless asked for otherwise. */
  size: number;
  /** Smallest edge that leaves it something to classify. */
  least: number;
  /** Edges must be multiples of this. */
  patch: number;
  /** Per channel, in units of pixel / 255. */
  mean: readonly number[];
  std: readonly number[];
  /** Share of the resized short side that timm's evaluation keeps; recorded, not applied. */
  cropPct: number;
  /** Filter of timm's evaluation; recorded, not applied. */
  interpolation: 'bicubic';
}

/** What decides its graph besides what it is asked for. */
export type Plan =
  | { family: 'resnet'; own: ResNetOptions }
  | { family: 'densenet'; own: object }
  | { family: 'vit'; own: VitOptions & { patch: number } }
  | { family: 'convnext'; own: ConvNextOptions };

/** With the way to its graph. */
export interface Blueprint extends Architecture {
  plan: Plan;
  describe(options: NetworkOptions & Variation): Network;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** As in the original vision transformers. */
const HALVES = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

type Describe = Blueprint['describe'];
type Input = Pick<Architecture, 'least' | 'patch' | 'mean' | 'std' | 'cropPct'>;

function blueprint(name: string, plan: Plan, describe: Describe, input: Input): Blueprint {
  return { name, size: 224, interpolation: 'bicubic', plan, describe, ...input };
}

function resnet(name: string, own: ResNetOptions, cropPct = 0.95): Blueprint {
  const describe: Describe = (options) => resnetNetwork({ ...options, ...own });
  return blueprint(name, { family: 'resnet', own }, describe, { least: 1, patch: 1, cropPct, ...IMAGENET });
}

function vit(name: string, own: VitOptions & { patch: number }, normalization = HALVES): Blueprint {
  const describe: Describe = (options) => vitNetwork({ ...options, ...own });
  return blueprint(name, { family: 'vit', own }, describe, {
    least: own.patch,
    patch: own.patch,
    cropPct: 0.9,
    ...normalization,
  });
}

function convnext(name: string, own: ConvNextOptions, cropPct: number): Blueprint {
  const describe: Describe = (options) => convnextNetwork({ ...options, ...own });
  return blueprint(name, { family: 'convnext', own }, describe, {
    least: 32,
    patch: 1,
    cropPct,
    ...IMAGENET,
  });
}

const deit = (name: string, own: VitOptions) => vit(name, { patch: 16, ...own }, IMAGENET);
const doubled = (width: number) => [width, 2 * width, 4 * width, 8 * width];

const tiny = { dim: 192, heads: 3 };
const small = { dim: 384, heads: 6 };
const base = { dim: 768, heads: 12 };
const light = (width: number, third = 6) => ({
  depths: [2, 2, third, 2],
  dims: doubled(width),
  convMlp: true,
});

export const blueprints: readonly Blueprint[] = [
  resnet('resnet18', { block: 'basic', blocks: [2, 2, 2, 2] }),
  resnet('resnet34', { block: 'basic', blocks: [3, 4, 6, 3] }),
  resnet('resnet50', { blocks: [3, 4, 6, 3] }),
  resnet('resnet101', { blocks: [3, 4, 23, 3] }),
  resnet('resnet152', { blocks: [3, 8, 36, 3] }),
  resnet('wide_resnet50_2', { blocks: [3, 4, 6, 3], groupWidth: 2 }, 0.875),
  resnet('resnext50_32x4d', { blocks: [3, 4, 6, 3], groups: 32, groupWidth: 4 / 64 }),
  blueprint('densenet121', { family: 'densenet', own: {} }, (options) => densenetNetwork(options), {
    least: 29,
    patch: 1,
    cropPct: 0.875,
    ...IMAGENET,
  }),
  vit('vit_tiny_patch16_224', { patch: 16, ...tiny }),
  // Not in timm, which has the two larger ones: the tiny one with their patches.
  vit('vit_tiny_patch32_224', { patch: 32, ...tiny }),
  vit('vit_small_patch16_224', { patch: 16, ...small }),
  vit('vit_small_patch32_224', { patch: 32, ...small }),
  vit('vit_base_patch16_224', { patch: 16, ...base }),
  vit('vit_base_patch32_224', { patch: 32, ...base }),
  deit('deit_tiny_patch16_224', tiny),
  deit('deit_small_patch16_224', small),
  deit('deit_base_patch16_224', base),
  deit('deit_tiny_distilled_patch16_224', { ...tiny, distilled: true }),
  deit('deit_small_distilled_patch16_224', { ...small, distilled: true }),
  deit('deit_base_distilled_patch16_224', { ...base, distilled: true }),
  convnext('convnext_atto', light(40), 0.875),
  convnext('convnext_femto', light(48), 0.875),
  convnext('convnext_pico', light(64), 0.875),
  convnext('convnext_nano', light(80, 8), 0.95),
  convnext('convnext_tiny', { depths: [3, 3, 9, 3], dims: doubled(96) }, 0.95),
  convnext('convnext_small', { depths: [3, 3, 27, 3], dims: doubled(96) }, 0.95),
  convnext('convnext_base', { depths: [3, 3, 27, 3], dims: doubled(128) }, 0.875),
];

/** The built-in architectures: ResNets, DenseNet, vision transformers, DeiTs, ConvNeXts. */
export function architectures(): Architecture[] {
  return blueprints.map(({ describe: _, plan: __, ...known }) => known);
}

const letters = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/**
 * The architecture of that name; capitals, dashes and underscores make no difference.
 * @throws CritmapError (ERR_OPTION) that names the nearest ones
 */
export function blueprintOf(name: string): Blueprint {
  if (typeof name !== 'string') throw new TypeError('the name of an architecture must be a string');
  const wanted = letters(name);
  const found = blueprints.find((one) => letters(one.name) === wanted);
  if (found) return found;
  // A pretrained tag, `resnet50.a1_in1k`, is not part of the name.
  const [untagged = ''] = name.split('.');
  const nearest = blueprints
    .map((one) => ({ name: one.name, far: distance(letters(untagged), letters(one.name)) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3);
  throw new CritmapError(
    'ERR_OPTION',
    `there is no built-in architecture ${JSON.stringify(name)}; the nearest are ${nearest.map((one) => one.name).join(', ')} (critmap architectures lists all)`,
  );
}
