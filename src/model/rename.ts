/** `--rename 'REGEX=REPLACEMENT'`: other names for the tensors of a checkpoint, before the model's are looked for. */
import { CritmapError, messageOf, quoted } from '../errors.js';
import type { Table } from '../weights/checkpoint-file.js';
import { isSame, type StoredTensor } from '../weights/stored-tensor.js';
import { weightsError } from '../weights/weights-error.js';

export interface Rename {
  readonly text: string;
  /** Every occurrence in a name is replaced. */
  readonly pattern: RegExp;
  /** JavaScript's: `$1` is the first group. */
  readonly replacement: string;
}

/** Names that are longer are no parameter's. */
const LONGEST_NAME = 512;

/**
 * @param text REGEX=REPLACEMENT, divided at the last `=`; `$1` and `\1` are what the first group matched
 * @throws CritmapError (ERR_OPTION) for what is none
 */
export function parseRename(text: string): Rename {
  const refuse = (why: string, cause?: unknown) =>
    new CritmapError('ERR_OPTION', `--rename ${quoted(text)}: ${why}`, { cause });
  const at = text.lastIndexOf('=');
  if (at < 1) throw refuse("write it as 'REGEX=REPLACEMENT'");
  let pattern: RegExp;
  try {
    pattern = new RegExp(text.slice(0, at), 'g');
  } catch (cause) {
    throw refuse(messageOf(cause), cause);
  }
  return { text, pattern, replacement: text.slice(at + 1).replace(/\\(\d)/g, '$$$1') };
}

/**
 * The same tables with other names, one rename after the other.
 * @returns the tables, and the renames that changed a name
 * @throws CritmapError (ERR_WEIGHTS) where two tensors of a dict would have one name
 */
export function renamed(
  path: string,
  tables: readonly Table[],
  renames: readonly Rename[],
): { tables: readonly Table[]; used: ReadonlySet<Rename> } {
  const used = new Set<Rename>();
  const rename = (name: string) => {
    let now = name;
    for (const one of renames) {
      if (now.length > LONGEST_NAME) break;
      const next = now.replace(one.pattern, one.replacement);
      if (next !== now) used.add(one);
      now = next;
    }
    return now;
  };
  return { tables: tables.map((table) => withNames(path, table, rename)), used };
}

function withNames(path: string, table: Table, rename: (name: string) => string): Table {
  const tensors = new Map<string, StoredTensor>();
  const original = new Map<string, string>();
  for (const [name, tensor] of table.tensors) {
    const now = rename(name);
    const twin = tensors.get(now);
    if (twin && !isSame(twin, tensor)) {
      throw weightsError(
        path,
        `${quoted(original.get(now) ?? now)} and ${quoted(name)} would both be called ${quoted(now)}`,
        'give a --rename that tells them apart',
      );
    }
    tensors.set(now, tensor);
    if (!original.has(now)) original.set(now, fileName(table, name));
  }
  return { path: table.path, tensors, original };
}

/** What the file calls a tensor. */
export const fileName = ({ original }: Table, name: string): string => original?.get(name) ?? name;
