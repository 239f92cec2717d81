/** Categories and numbers of models from files: JSON, or a CSV table with a row per model. */
import { extname } from 'node:path';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { readTable } from './from-csv.js';

/** Category by model, or the models of each category as the published study has them. */
const categoriesFile = z.union([z.record(z.string(), z.string()), z.record(z.string(), z.array(z.string()))]);
const accuraciesFile = z.record(z.string(), z.number());

/** @returns the category of each model that the file names @throws CritmapError (ERR_OPTION) */
export async function readCategories(path: string): Promise<Map<string, string>> {
  const wanted = '{"MODEL": "CATEGORY"} or {"CATEGORY": ["MODEL", ...]}';
  const found = await readJson(path, '--categories', categoriesFile, wanted);
  return new Map(
    Object.entries(found).flatMap(([key, value]) =>
      typeof value === 'string'
        ? [[key, value] as const]
        : (value as readonly string[]).map((id) => [id, key] as const),
    ),
  );
}

/** @returns accuracies in percent; a file with none above 1 has shares @throws CritmapError (ERR_OPTION) */
export async function readAccuracies(path: string): Promise<Map<string, number>> {
  const found = Object.entries(await readJson(path, '--accuracies', accuraciesFile, '{"MODEL": NUMBER}'));
  const wrong = found.find(([, value]) => !(value >= 0 && value <= 100));
  if (wrong) {
    throw new CritmapError(
      'ERR_OPTION',
      `--accuracies ${path}: ${JSON.stringify(wrong[0])} has ${wrong[1]}, which is neither a percentage nor a share`,
    );
  }
  const scale = found.some(([, value]) => value > 1) ? 1 : 100;
  return new Map(found.map(([id, value]) => [id, scale * value]));
}

/** Columns that hold words: the norm of an attack. */
const WORDS = ['attack', 'norm'];

/** What a table says of models: `model`, perhaps `category`, words, and numbers. @throws CritmapError */
export async function readAttributes(path: string): Promise<Map<string, ModelRow>> {
  const { rows, columns } = await readTable(path);
  const [key = ''] = columns;
  return new Map(
    rows.map(({ [key]: id = '', category, ...rest }) => {
      const given = Object.entries(rest).flatMap(([name, text]) =>
        text === undefined || text.trim() === '' ? [] : [[name, text.trim()] as const],
      );
      const isWord = ([name]: readonly [string, string]) => WORDS.includes(name);
      const numbers = given
        .filter((one) => !isWord(one))
        .map(([name, text]) => {
          const value = Number(text);
          if (Number.isFinite(value)) return [name, value] as const;
          throw new CritmapError(
            'ERR_OPTION',
            `--attributes ${path}: ${name} of ${id} is no number: ${text}`,
          );
        });
      const words = Object.fromEntries(given.filter(isWord));
      return [id, { category: category || null, attributes: Object.fromEntries(numbers), words }];
    }),
  );
}

interface ModelRow {
  category: string | null;
  attributes: Record<string, number>;
  words: Record<string, string>;
}

async function readJson<T>(path: string, option: string, schema: z.ZodType<T>, wanted: string): Promise<T> {
  let value: unknown;
  try {
    value = JSON.parse((await readRegular(path)).toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      throw new CritmapError('ERR_OPTION', `${option} ${path} ${fileProblem(error).join('; ')}`);
    }
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CritmapError(
    'ERR_OPTION',
    `${option} ${path}${extname(path) === '.json' ? '' : ' (JSON)'} must hold ${wanted}`,
  );
}
