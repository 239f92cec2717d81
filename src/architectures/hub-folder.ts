/**
 * A folder as the Hugging Face hub lays out timm's models and transformers': `config.json`, which says the architecture,
 * its classes and, with transformers' `preprocessor_config.json`, what its images are like, and the weights beside it.
 */
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { CritmapError, some } from '../errors.js';
import { RESAMPLE_FILTERS } from '../native/addon.js';
import type { BuildOptions } from './build.js';
import { checked, readJson, refuse } from './hub-json.js';
import { blueprintOf } from './registry.js';
import { transformersModel } from './transformers-folder.js';

export interface HubFolder {
  architecture: string;
  /** What {@link buildModel} is to be asked for; the name is the folder's unless another is given. */
  options: BuildOptions & { name: string };
  /** What is not quite as the folder says. */
  warnings: string[];
}

const inputSize = z.tuple([z.int().min(1), z.int().min(1), z.int().min(1)]);
const share = z.number().min(0.05).max(1);

/** What a model's evaluation needs, as timm writes it; whatever else is there is not looked at. */
const evaluation = z.object({
  input_size: inputSize.optional(),
  /** The size of evaluation, where it is another than that of training. */
  test_input_size: inputSize.nullish(),
  mean: z.array(z.number()).optional(),
  std: z.array(z.number().positive()).optional(),
  crop_pct: share.nullish(),
  test_crop_pct: share.nullish(),
  crop_mode: z.enum(['center', 'squash']).nullish(),
  interpolation: z.enum(RESAMPLE_FILTERS).nullish(),
  num_classes: z.int().min(1).optional(),
});

const configSchema = evaluation.extend({
  architecture: z.string().min(1),
  /** Older files have its entries beside the architecture. */
  pretrained_cfg: evaluation.optional(),
  global_pool: z.string().nullish(),
  model_args: z.record(z.string(), z.unknown()).nullish(),
});

/** timm's files say the architecture. */
const ofTransformers = z.object({ model_type: z.string(), architecture: z.undefined().optional() });

const CONFIG = 'config.json';

/**
 * What the folder's `config.json` says.
 * @throws CritmapError: ERR_MODEL when it is missing, damaged or asks for what critmap has not; ERR_OPTION for an
 *   architecture that is not built in
 */
export async function readHubFolder(folder: string, name = basename(resolve(folder))): Promise<HubFolder> {
  const path = join(folder, CONFIG);
  const value = await readJson(path);
  if (value === undefined) {
    throw new CritmapError(
      'ERR_MODEL',
      `${folder}: is a folder without ${CONFIG}; give an ONNX file, or a folder as the Hugging Face hub lays it out`,
    );
  }
  if (ofTransformers.safeParse(value).success) {
    const { architecture, warnings, ...options } = await transformersModel(path, value, folder);
    return { architecture, options: { name, ...options }, warnings };
  }
  const config = checked(path, configSchema, value);
  const { architecture, global_pool: pool, model_args: own } = config;
  const { name: known } = blueprintOf(architecture);
  const usual = /^(vit|deit)/.test(known) ? 'token' : 'avg';
  if (pool && pool !== usual) throw refuse(path, `global_pool ${JSON.stringify(pool)} is not built in`);
  const changed = Object.keys(own ?? {});
  if (changed.length > 0) throw refuse(path, `model_args changes the network (${some(changed)})`);
  const said = { ...config, ...config.pretrained_cfg };
  const [channels, height, width] = said.test_input_size ?? said.input_size ?? [];
  if (height !== width) throw refuse(path, `images of ${height} x ${width} are not square`);
  const classes = config.num_classes ?? said.num_classes;
  const crop = said.test_crop_pct ?? said.crop_pct;
  const { mean, std, interpolation, crop_mode: mode } = said;
  return {
    architecture: known,
    options: {
      name,
      ...(classes !== undefined && { classes }),
      ...(channels !== undefined && { channels }),
      ...(height !== undefined && { size: height }),
      preprocess: {
        ...(mean && std && { mean, std }),
        ...(crop && { crop_pct: crop }),
        ...(interpolation && { interpolation }),
        ...(mode === 'squash' && { squash: true }),
      },
    },
    warnings: [],
  };
}
