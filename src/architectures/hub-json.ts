/** The JSON files of a folder from the Hugging Face hub. */
import { stat } from 'node:fs/promises';
import type { z } from 'zod';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';

const MOST_BYTES = 2 ** 20;

export const refuse = (path: string, why: string, cause?: unknown) =>
  new CritmapError('ERR_MODEL', `${path}: ${why}; export the model to ONNX and give that file`, { cause });

/**
 * What a file says; undefined where there is none.
 * @throws CritmapError (ERR_MODEL) when it cannot be read or is not JSON
 */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw refuse(path, `is ${size} bytes long, no configuration of a model`);
    text = (await readRegular(path)).toString('utf8');
  } catch (cause) {
    if (cause instanceof CritmapError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refuse(path, fileProblem(cause)[0], cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CritmapError('ERR_MODEL', `${path}: is not JSON; download it again`, { cause });
  }
}

/**
 * The value in a schema's form.
 * @throws CritmapError (ERR_MODEL) that names the first entry that is not
 */
export function checked<S extends z.ZodType>(path: string, schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(path, `${issue!.path.join('.') || 'the whole'}: ${issue!.message}`, parsed.error);
}
