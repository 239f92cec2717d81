/**
 * Options as data: one zod schema an option, which says its type, range, default, help and group. The command line,
 * the types of the API, its checks and the JSON Schema of files are made from these schemas, so that an option is one
 * entry.
 */
import { z } from 'zod';
import { CritmapError } from './errors.js';
import { meantBy } from './meant.js';

/** What a person is told of an option; `description` is also in the JSON Schema. */
export interface OptionMeta {
  description: string;
  /** Heading in the help. */
  group: string;
  /** What a value must be, where the type does not say it: "a list of layer names or globs". */
  wanted?: string;
  /** What it means on the command line without a value; without this it needs one. */
  alone?: unknown;
}

export type OptionTable = Readonly<Record<string, z.ZodType>>;

/** The values of a table's options, all of them optional. */
export type OptionValues<T extends OptionTable> = { readonly [K in keyof T]?: z.input<T[K]> };

/** The values of a table's options as they are used: with defaults filled in. */
export type OptionSettings<T extends OptionTable> = { readonly [K in keyof T]: z.output<T[K]> };

/** A whole number. */
export const whole = (least: number, most?: number) =>
  most === undefined ? z.int().min(least) : z.int().min(least).max(most);

/** Text that is not empty. */
export const words = () => z.string().min(1);

/** @throws Error for an option without help, which is a mistake in its table */
export function metaOf(name: string, schema: z.ZodType): OptionMeta {
  const meta = schema.meta();
  if (typeof meta?.description !== 'string' || typeof meta.group !== 'string') {
    throw new Error(`the option ${name} has no help`);
  }
  return meta as unknown as OptionMeta;
}

/** The schema without `optional`, `default` and `readonly`. */
export function bare(schema: z.ZodType): z.ZodType {
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodReadonly;
  return isWrapped ? bare(schema.unwrap() as z.ZodType) : schema;
}

export function defaultOf(schema: z.ZodType): unknown {
  return schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined;
}

/** The same option where leaving it out means something else than its default. */
export function withoutDefault<S extends z.ZodType>(schema: S): z.ZodType<z.output<S> | undefined> {
  return bare(schema)
    .optional()
    .meta(schema.meta() ?? {}) as unknown as z.ZodType<z.output<S> | undefined>;
}

/** What a value must be, in words: "a whole number from 1". */
export function wantedOf(schema: z.ZodType): string {
  const wanted = schema.meta()?.wanted;
  if (typeof wanted === 'string') return wanted;
  const type = bare(schema);
  if (type instanceof z.ZodEnum) return `one of ${type.options.join(', ')}`;
  if (type instanceof z.ZodBoolean) return 'true or false';
  if (type instanceof z.ZodArray) return 'an array of strings';
  if (!(type instanceof z.ZodNumber)) return 'a name or path';
  const { minValue, maxValue, isInt } = type;
  const range = `from ${minValue}${maxValue !== null && Number(maxValue) < Number.MAX_SAFE_INTEGER ? ` to ${maxValue}` : ''}`;
  return `${isInt ? 'a whole number' : 'a number'} ${range}`;
}

/**
 * Checks values as a program gives them and fills in defaults.
 * @throws TypeError for lists that are none, CritmapError (ERR_OPTION) for other wrong values
 */
export function checkOptionValues<T extends OptionTable>(
  table: T,
  values: OptionValues<T>,
): OptionSettings<T> {
  const entries = Object.entries(table).map(([name, schema]) => {
    const value: unknown = values[name];
    const checked = schema.safeParse(value);
    if (checked.success) return [name, checked.data];
    const type = bare(schema);
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string');
    const isOfText = type instanceof z.ZodArray && !(type.element instanceof z.ZodNumber);
    if (isOfText && !isList) throw new TypeError(`${name} must be an array of strings`);
    throw new CritmapError('ERR_OPTION', `${name} must be ${wantedOf(schema)}, got ${String(value)}`);
  });
  return Object.fromEntries(entries) as OptionSettings<T>;
}

/** What a value that only a script can give is; null where it is checked elsewhere. */
export type OptionKind = keyof typeof kinds | null;

/** All of a function's options, each with its kind: one that is not among them is refused. */
export type OptionKinds<T> = { readonly [K in keyof Required<T>]: OptionKind };

const isSignal = (value: unknown) =>
  typeof (value as AbortSignal | null)?.aborted === 'boolean' &&
  typeof (value as AbortSignal).addEventListener === 'function';
const isTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string');

const kinds = {
  function: [(value: unknown) => typeof value === 'function', 'a function'],
  signal: [isSignal, 'an AbortSignal'],
  boolean: [(value: unknown) => typeof value === 'boolean', 'true or false'],
  text: [(value: unknown) => typeof value === 'string', 'a string'],
  path: [(value: unknown) => typeof value === 'string' && value !== '', 'a path'],
  texts: [isTexts, 'an array of strings'],
} as const;

/** The names of a table whose values {@link checkOptionValues} checks. */
export const unchecked = <T extends OptionTable>(table: T) =>
  Object.fromEntries(Object.keys(table).map((name) => [name, null])) as { readonly [K in keyof T]: null };

/**
 * What TypeScript would have refused, for callers without it: a mistyped option must not be ignored.
 * @param who - the function, as it is called
 * @throws TypeError that names the option
 */
export function refuseMisuse<T extends object>(
  who: string,
  options: T,
  known: Readonly<Record<string, OptionKind>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`the options of ${who} must be an object`);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name))
      throw new TypeError(`${who} has no option ${unknownOf(name, Object.keys(known))}`);
    const value = (options as Record<string, unknown>)[name];
    const kind = known[name] ?? null;
    if (value === undefined || kind === null) continue;
    const [isOne, wanted] = kinds[kind];
    if (!isOne(value)) throw new TypeError(`${name} must be ${wanted}`);
  }
}

/** `"trails"; did you mean trials? It has ...` */
export function unknownOf(name: string, known: readonly string[]): string {
  const near = meantBy(name, known);
  const quoted = JSON.stringify(name);
  return near === null
    ? `${quoted}; it has ${known.join(', ')}`
    : `${quoted}; did you mean ${near}? It has ${known.join(', ')}`;
}
