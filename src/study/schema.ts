/**
 * A study as a file says it: which models on which images, with what options. The options of sweeps are those of the
 * command line, named as in the API; each may stand in `defaults`, with a set of images and with a model.
 */
import { z } from 'zod';
import { groupProblem } from '../design/groups.js';
import { quoted } from '../errors.js';
import { imageOptions } from '../images/options.js';
import { metaOf, type OptionTable, whole, withoutDefault, words } from '../options.js';
import { resetProblem } from '../resets/words.js';
import { PLACE_NAME } from '../run/study-plan.js';
import { resetOption, sweepOptions } from '../sweep/options.js';

const say = <S extends z.ZodType>(schema: S, description: string, wanted?: string): S =>
  schema.meta({ description, ...(wanted !== undefined && { wanted }) }) as S;

const oneOrMore = (one = words()) => z.union([one, z.array(one).min(1).readonly()]);

/** Text with which nothing is wrong that can be told without a model. */
const sound = (problemOf: (text: string) => string | null) =>
  words().superRefine((text, { addIssue }) => {
    const message = text === '' ? null : problemOf(text);
    if (message !== null) addIssue({ code: 'custom', message });
  });

const hash = () => z.string().regex(/^[0-9a-f]{64}$/i);

/** Where a model comes from. */
export const sourceTable = {
  model: say(
    words().optional(),
    'An ONNX file, or a folder with config.json and weights',
    'a path or a glob',
  ),
  arch: say(words().optional(), 'A built-in architecture', 'a name that critmap architectures lists'),
  weights: say(
    oneOrMore().optional(),
    'Checkpoints to take the weights from: paths or globs; FILE#PLACE picks one of several sets',
    'a path or a list of paths',
  ),
  sha256: say(
    z.union([hash(), z.array(hash()).min(1).readonly()]).optional(),
    'SHA-256 of what is fetched from https: addresses, in the order of weights (or of model, without weights): anything else is refused',
    '64 hexadecimal digits, or a list of such for each of weights',
  ),
  classes: say(whole(1).optional(), 'How many classes arch gets (default 1000)'),
  channels: say(whole(1).optional(), 'How many channels the images have'),
  size: say(whole(1).optional(), 'Height and width of the images in pixels'),
  input: say(words().optional(), 'Which input of the file gets the images', 'the name of a tensor'),
  output: say(words().optional(), 'Which tensor of the file has the logits', 'the name of a tensor'),
  rename: say(
    oneOrMore().optional(),
    "Other names for a checkpoint's tensors: REGEX=REPLACEMENT",
    'REGEX=REPLACEMENT, or a list of them',
  ),
  allowPartial: say(z.boolean().optional(), 'Keep what no checkpoint has as the architecture initialises it'),
};

const undefaulted = (table: OptionTable): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(table).map(([name, schema]) => [name, withoutDefault(schema)]));

/** One word stands for a list of it. */
const listed = (schema: z.ZodType, one = words()) =>
  oneOrMore(one)
    .optional()
    .meta({ ...schema.meta(), wanted: 'a word or a list of words' });

const { images } = imageOptions;

/** Everything that may be chosen for one sweep, besides its source. */
export const choiceTable: Record<string, z.ZodType> = {
  ...undefaulted(imageOptions),
  maxImages: withoutDefault(images).meta({
    ...metaOf('images', images),
    description: 'With tolerance: how many images to use at most',
  }),
  ...undefaulted(sweepOptions),
  layers: listed(sweepOptions.layers),
  exclude: listed(sweepOptions.exclude),
  group: sound((word) => {
    const problem = groupProblem(word);
    return problem === null ? null : `${quoted(word)} ${problem}`;
  })
    .optional()
    .meta({ ...sweepOptions.group.meta() }),
  reset: listed(resetOption, sound(resetProblem)),
  initFrom: say(
    oneOrMore().optional(),
    'Fresh models whose weights are the draws of a random reset',
    'a path or a list of paths',
  ),
};

const id = () =>
  z
    .string()
    .regex(PLACE_NAME)
    .max(200)
    .meta({ wanted: 'a name that a folder can have: letters, digits, and . _ @ + - between' });

/** Columns of the results, which attributes cannot be called. */
const TAKEN =
  /^(model|name|category|accuracy|imageSet|layer|reset|metric|depth|mean|low|high|op|parameters|interval|images|draws)$/;

const attributes = z
  .record(
    z.string().regex(/^[\p{L}_][\p{L}\p{N}_. -]*$/u),
    z.union([z.number(), z.string(), z.boolean(), z.null()]),
  )
  .refine((found) => !Object.keys(found).some((name) => TAKEN.test(name)), {
    message: 'has a name that a column of the results has already',
  });

export const modelEntry = z.strictObject({
  id: say(id().optional(), 'What the model is called in files; without it every match of a glob is a model'),
  name: say(words().optional(), 'What the model is called in figures (default: id)'),
  category: say(words().optional(), 'The way it was trained, say'),
  accuracy: say(z.number().min(0).max(100).optional(), 'Top-1 accuracy in percent, where it is known'),
  attributes: say(attributes.optional(), 'What else is known of it: numbers, or words'),
  ...sourceTable,
  ...choiceTable,
});

const dataEntry = z.strictObject({
  path: say(words(), 'Where the images are: a folder, tar shards, Parquet files, a .npz or .npy file'),
  name: say(words().optional(), 'What the images are called in figures (default: their key)'),
  ...choiceTable,
});

const category = z.union([
  words(),
  z.strictObject({
    name: words(),
    color: z
      .string()
      .regex(/^#[0-9a-f]{6}$/i)
      .meta({ wanted: 'a colour such as #1b9e77' })
      .optional(),
  }),
]);

export const studyFile = z
  .strictObject({
    $schema: z.string().optional(),
    name: say(words().optional(), 'What the study is called'),
    defaults: say(
      z.strictObject({ ...sourceTable, ...choiceTable }).optional(),
      'Options of every sweep that its data and its model do not give',
    ),
    data: say(
      z.union([words(), z.record(id(), z.union([words(), dataEntry]))]),
      'Sets of images by name, each a path or path with options; or one path',
    ),
    models: say(z.array(z.union([words(), modelEntry])).min(1), 'Models, each a path or an object'),
    baseline: say(words().optional(), 'The id of the model that others are compared with'),
    categories: say(z.array(category).optional(), 'Categories in the order of figures, with their colours'),
  })
  .meta({ title: 'critmap study' });

export type StudyFile = z.infer<typeof studyFile>;
export type ModelEntry = z.infer<typeof modelEntry>;

/** As editors take it: without what only critmap's own help and messages say. */
export function studySchemaText(): string {
  const schema = z.toJSONSchema(studyFile, {
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema.group;
      delete jsonSchema.wanted;
      delete jsonSchema.alone;
    },
  });
  return `${JSON.stringify(schema, null, 1)}\n`;
}
