/**
 * A folder as the Hugging Face hub lays out timm's models: `config.json`, which says the architecture, its classes and
 * what its images are like, and the weights beside it.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { CritmapError, some } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { RESAMPLE_FILTERS } from '../native/addon.js';
import type { BuildOptions } from './build.js';
import { blueprintOf } from './registry.js';

export interface HubFolder {
  architecture: string;
  /** What {@link buildModel} is to be asked for; the name is the folder's unless another is given. */
  options: BuildOptions & { name: string };
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
  crop_mode: z.literal('center').nullish(),
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

const CONFIG = 'config.json';
const MOST_BYTES = 2 ** 20;

/**
 * What the folder's `config.json` says.
 * @throws CritmapError: ERR_MODEL when it is missing, damaged or asks for what critmap has not; ERR_OPTION for an
 *   architecture that is not built in
 */
export async function readHubFolder(folder: string, name = basename(resolve(folder))): Promise<HubFolder> {
  const path = join(folder, CONFIG);
  const config = parsed(path, await contentOf(folder, path));
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
  const { mean, std, interpolation } = said;
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
      },
    },
  };
}

const refuse = (path: string, why: string, cause?: unknown) =>
  new CritmapError('ERR_MODEL', `${path}: ${why}; export the model to ONNX and give that file`, { cause });

async function contentOf(folder: string, path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw refuse(path, `is ${size} bytes long, no configuration of a model`);
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof CritmapError) throw cause;
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw refuse(path, fileProblem(cause)[0], cause);
    throw new CritmapError(
      'ERR_MODEL',
      `${folder}: is a folder without ${CONFIG}; give an ONNX file, or a folder as the Hugging Face hub lays it out`,
      { cause },
    );
  }
}

function parsed(path: string, text: string): z.infer<typeof configSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CritmapError('ERR_MODEL', `${path}: is not JSON; download it again`, { cause });
  }
  const other = z.object({ model_type: z.string(), architecture: z.undefined().optional() }).safeParse(value);
  if (other.success) {
    throw refuse(
      path,
      `is of transformers (model_type ${JSON.stringify(other.data.model_type)}), not of timm`,
    );
  }
  const checked = configSchema.safeParse(value);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw refuse(path, `${issue!.path.join('.') || 'the whole'}: ${issue!.message}`, checked.error);
}
