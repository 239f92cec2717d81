/**
 * transformers' `config.json`: the built-in architecture that has its numbers. Each number that decides the graph is
 * compared, and what no built-in architecture has is refused.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { quoted, some } from '../errors.js';
import { checked, readJson, refuse } from './hub-json.js';
import { type Blueprint, blueprints, type Plan } from './registry.js';
import { type Preparation, preparationOf } from './transformers-images.js';

/** What to build, and what to say of it. */
export interface TransformersModel extends Preparation {
  architecture: string;
  classes: number;
  channels: number;
  epsilon?: number;
  singleHead?: true;
}

const whole = z.int().min(1);
/** What images may have. */
const MOST_CHANNELS = 65536;
const list = z.array(whole).min(1);
const epsilon = z.number().positive().default(1e-12);
const side = z.union([whole, z.tuple([whole, whole])]);

const common = {
  architectures: z.tuple([z.string()], z.unknown()),
  num_channels: whole.max(MOST_CHANNELS).default(3),
  id2label: z.record(z.string(), z.unknown()).nullish(),
  num_labels: whole.nullish(),
};

/** With transformers' own defaults: a file may leave them out. */
const resnetSchema = z.object({
  ...common,
  embedding_size: whole.default(64),
  hidden_sizes: list.default([256, 512, 1024, 2048]),
  depths: list.default([3, 4, 6, 3]),
  layer_type: z.string().default('bottleneck'),
  hidden_act: z.string().default('relu'),
  downsample_in_first_stage: z.boolean().default(false),
  downsample_in_bottleneck: z.boolean().default(false),
});
const vitSchema = z.object({
  ...common,
  hidden_size: whole.default(768),
  num_hidden_layers: whole.default(12),
  num_attention_heads: whole.default(12),
  intermediate_size: whole.default(3072),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: epsilon,
  image_size: side.default(224),
  patch_size: side.default(16),
  qkv_bias: z.boolean().default(true),
});
const convnextSchema = z.object({
  ...common,
  patch_size: whole.default(4),
  hidden_sizes: list.nullish(),
  depths: list.nullish(),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: epsilon,
  layer_scale_init_value: z.number().default(1e-6),
  image_size: side.default(224),
});

/** By the class that made the weights; each leads to what is compared, and to what is passed on. */
const classes = {
  ResNetForImageClassification: resnet,
  ViTForImageClassification: (path: string, config: unknown) => vit(path, config, false),
  DeiTForImageClassification: (path: string, config: unknown) => ({
    ...vit(path, config, true),
    singleHead: true as const,
  }),
  DeiTForImageClassificationWithTeacher: (path: string, config: unknown) => vit(path, config, true),
  ConvNextForImageClassification: convnext,
};

type Numbers = Record<string, unknown>;

interface Described {
  said: z.infer<z.ZodObject<typeof common>>;
  numbers: Numbers;
  /** The same of a built-in architecture; undefined where it is of another kind. */
  of: (plan: Plan, name: string) => Numbers | undefined;
  imageSize?: number;
  epsilon?: number;
  singleHead?: true;
}

/**
 * @param path of `config.json`, for messages
 * @param value what it holds
 * @param folder where the preparation of images may lie beside it
 * @throws CritmapError (ERR_MODEL) when it is of another class, or no built-in architecture has its numbers
 */
export async function transformersModel(
  path: string,
  value: unknown,
  folder: string,
): Promise<TransformersModel> {
  const named = z.object({ architectures: z.array(z.string()).min(1) }).safeParse(value);
  const name = named.data?.architectures[0];
  const describe = Object.entries(classes).find(([one]) => one === name)?.[1];
  if (!describe) {
    const which =
      name === undefined
        ? 'which of its classes made the weights is not said'
        : `${quoted(name)} is not known`;
    throw refuse(
      path,
      `is of transformers, of whose classes ${some(Object.keys(classes))} are read: ${which}`,
    );
  }
  const { said, numbers, of, imageSize, epsilon, singleHead } = describe(path, value);
  const { name: architecture } = fitting(path, numbers, of);
  const beside = join(folder, 'preprocessor_config.json');
  const preparation = preparationOf(beside, await readJson(beside), {
    name: architecture,
    ...(imageSize !== undefined && { imageSize }),
    ...(/^(ViT|DeiT)/.test(name ?? '') && { isSized: true }),
    channels: said.num_channels,
    processor: /^(ViT|DeiT)/.exec(name ?? '')?.[0] ?? 'ConvNext',
  });
  return {
    architecture,
    // transformers' default.
    classes: (said.id2label ? Object.keys(said.id2label).length : said.num_labels) ?? 2,
    channels: said.num_channels,
    ...(epsilon !== undefined && { epsilon }),
    ...(singleHead && { singleHead }),
    ...preparation,
  };
}

/** @throws CritmapError (ERR_MODEL) that says in what the nearest one differs */
function fitting(path: string, numbers: Numbers, of: Described['of']): Blueprint {
  const tried = blueprints.flatMap((blueprint) => {
    const own = of(blueprint.plan, blueprint.name);
    if (!own) return [];
    const others = Object.entries(own).filter(([key, value]) => String(value) !== String(numbers[key]));
    return [{ blueprint, others }];
  });
  const [nearest] = tried.sort((a, b) => a.others.length - b.others.length);
  if (nearest?.others.length === 0) return nearest.blueprint;
  const text = (nearest?.others ?? []).map(
    ([key, value]) => `${key} ${JSON.stringify(value)}, here ${brief(numbers[key])}`,
  );
  throw refuse(
    path,
    `no built-in architecture is that network; the nearest, ${nearest?.blueprint.name}, has ${text.join('; ')}`,
  );
}

const brief = (value: unknown) => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
};

const doublings = (width: number) => [width, 2 * width, 4 * width, 8 * width];

function resnet(path: string, value: unknown): Described {
  const said = checked(path, resnetSchema, value);
  return {
    said,
    numbers: said,
    of: (plan) => {
      if (plan.family !== 'resnet') return undefined;
      const { block = 'bottleneck', blocks, groups = 1, groupWidth = 1 } = plan.own;
      // Groups and other widths are not among transformers' numbers.
      if (groups !== 1 || groupWidth !== 1) return undefined;
      return {
        layer_type: block,
        depths: blocks,
        embedding_size: 64,
        hidden_sizes: doublings(block === 'basic' ? 64 : 256),
        hidden_act: 'relu',
        downsample_in_first_stage: false,
        downsample_in_bottleneck: false,
      };
    },
  };
}

function vit(path: string, value: unknown, distilled: boolean): Described {
  const said = checked(path, vitSchema, value);
  const imageSize = edgeOf(path, 'image_size', said.image_size);
  return {
    said,
    numbers: { ...said, patch_size: edgeOf(path, 'patch_size', said.patch_size) },
    of: (plan, name) => {
      // DeiTs without distillation are the same networks as ViTs.
      if (plan.family !== 'vit' || (plan.own.distilled ?? false) !== distilled) return undefined;
      if (!distilled && !name.startsWith('vit')) return undefined;
      const { dim = 0, depth = 12, heads, hidden = 4 * dim, patch } = plan.own;
      return {
        hidden_size: dim,
        num_hidden_layers: depth,
        num_attention_heads: heads,
        intermediate_size: hidden,
        patch_size: patch,
        hidden_act: 'gelu',
        qkv_bias: true,
      };
    },
    imageSize,
    epsilon: said.layer_norm_eps,
  };
}

function convnext(path: string, value: unknown): Described {
  const said = checked(path, convnextSchema, value);
  const { hidden_sizes, depths, layer_scale_init_value, image_size } = said;
  return {
    said,
    numbers: {
      ...said,
      // transformers' default.
      hidden_sizes: hidden_sizes ?? doublings(96),
      depths: depths ?? [3, 3, 9, 3],
      layer_scale_parameter: layer_scale_init_value > 0,
    },
    of: (plan) =>
      plan.family === 'convnext'
        ? {
            depths: plan.own.depths,
            hidden_sizes: plan.own.dims,
            patch_size: 4,
            hidden_act: 'gelu',
            layer_scale_parameter: true,
          }
        : undefined,
    imageSize: edgeOf(path, 'image_size', image_size),
    epsilon: said.layer_norm_eps,
  };
}

function edgeOf(path: string, what: string, size: number | [number, number]): number {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  if (height !== width) throw refuse(path, `${what} ${height} x ${width} is not square`);
  return height;
}
