/** Options of the command line from a table of schemas (options.ts): their names, help, groups and how text is read. */
import type { Argv, Options } from 'yargs';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { bare, defaultOf, metaOf, type OptionTable, type OptionValues, wantedOf } from '../options.js';

/** `dataSeed` as it is written on the command line: `data-seed`. */
export const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** yargs gives an array when an option is repeated; the last one counts. */
const last = (value: unknown) => (Array.isArray(value) ? value.at(-1) : value);

/** One text or several, which are not separated by commas: these belong to them. */
const isRepeated = (type: z.ZodType) =>
  type instanceof z.ZodUnion &&
  type.options.some((option) => bare(option as z.ZodType) instanceof z.ZodArray);

/** A text as the schema's type wants it; what cannot be read so is left for the schema to refuse. */
function read(type: z.ZodType, given: unknown): unknown {
  const text = last(given);
  if (type instanceof z.ZodArray) {
    const parts = [given].flat().flatMap((one) => String(one).split(','));
    const items = parts.map((part) => part.trim());
    if (!(type.element instanceof z.ZodNumber)) return items.filter((item) => item !== '');
    return items.map((item) => read(type.element as z.ZodType, item));
  }
  if (isRepeated(type)) return Array.isArray(given) ? given.map(String) : String(given);
  if (type instanceof z.ZodUnion) return Number.isNaN(Number(text)) ? text : Number(text);
  if (!(type instanceof z.ZodNumber)) return text;
  return text === '' ? Number.NaN : Number(text);
}

/** @throws CritmapError (ERR_OPTION) with the option as it was written and what it wants */
function coerce(name: string, schema: z.ZodType, alone: unknown) {
  // Lists are repeated or separated by commas; of globs at least one, since an unset variable must not mean all.
  return (given: unknown): unknown => {
    if (given === undefined) return undefined;
    if (given === '' && alone !== undefined) return alone;
    const value = read(bare(schema), given);
    const isEmpty = Array.isArray(value) && value.length === 0;
    const checked = schema.safeParse(value);
    if (checked.success && !isEmpty) return checked.data;
    throw new CritmapError(
      'ERR_OPTION',
      `--${kebab(name)} ${JSON.stringify(given)} is not ${wantedOf(schema)}`,
    );
  };
}

/** An option as yargs takes it. */
function optionOf(name: string, schema: z.ZodType): Options {
  const { description, group, alone } = metaOf(name, schema);
  const type = bare(schema);
  const preset = defaultOf(schema);
  const isEmptyList = Array.isArray(preset) && preset.length === 0;
  const shared = {
    describe: description,
    group,
    ...(preset !== undefined && !isEmptyList && { default: preset }),
  };
  if (type instanceof z.ZodBoolean) return { ...shared, type: 'boolean' };
  if (type instanceof z.ZodEnum) return { ...shared, choices: type.options, requiresArg: true };
  return { ...shared, type: 'string', requiresArg: alone === undefined, coerce: coerce(name, schema, alone) };
}

/** Adds a table's options. */
export function withTable<A>(yargs: Argv<A>, table: OptionTable): Argv<A> {
  for (const [name, schema] of Object.entries(table)) yargs.option(kebab(name), optionOf(name, schema));
  return yargs;
}

/** What was given of a table's options; yargs names them in both spellings. */
export function givenOf<T extends OptionTable>(
  table: T,
  argv: Readonly<Record<string, unknown>>,
): OptionValues<T> {
  const entries = Object.keys(table).map((name) => [name, argv[name]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as OptionValues<T>;
}
