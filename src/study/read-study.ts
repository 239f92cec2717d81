/** A study's file read: YAML or JSON, checked, with paths, globs and environment variables resolved. */
import { dirname, isAbsolute, resolve } from 'node:path';
import { type Document, isScalar, LineCounter, parse, parseDocument, type Scalar, visit } from 'yaml';
import type { z } from 'zod';
import { CritmapError, some } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { entriesOf } from './entries.js';
import { bestOf, describeIssues, placeOf, where } from './problems-in-yaml.js';
import { choiceTable, modelEntry, sourceTable, studyFile } from './schema.js';
import type { Study } from './study.js';

/** Aliases of a file that is not an attack. */
const MOST_ALIASES = 1000;
const SHOWN = 5;

/** How a study's file is read. */
export interface ReadStudyOptions {
  /** Stands in for `${NAME}` and `${NAME:-default}`; default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads `study.yaml`. Paths in it are relative to its folder.
 * @throws CritmapError (ERR_STUDY) with line and column of everything that is wrong
 */
export async function readStudy(path: string, options: ReadStudyOptions = {}): Promise<Study> {
  refuseMisuse('readStudy', options, { env: null } satisfies OptionKinds<ReadStudyOptions>);
  const { env = process.env } = options;
  if (typeof path !== 'string' || path === '') throw new TypeError('the study must be a path');
  let text: string;
  try {
    text = (await readRegular(path)).toString('utf8');
  } catch (error) {
    throw new CritmapError('ERR_STUDY', `${path} ${fileProblem(error).join('; ')}`, { cause: error });
  }
  const lines = new LineCounter();
  // The parser's own look for equal keys takes minutes for a hundred thousand.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const place = (at: number) => `${lines.linePos(at).line}:${lines.linePos(at).col}`;
  refuse(
    path,
    document.errors.map(({ message, pos: [at] }) => `${place(at)}: ${messageOfParser(message)}`),
  );
  refuse(
    path,
    secondKeys(document).map((at) => `${place(at)}: this key is there already`),
  );
  refuse(path, withEnvironment(document, env, lines));
  const content = contentsOf(path, document);
  if (content === null || content === undefined) {
    throw problem(path, ['it is empty; a study needs at least data and models (docs/study.md)']);
  }
  const strict = studyFile.safeParse(content);
  const wrong = strict.success ? [] : describeIssues(strict.error.issues, document, lines, namesAt);
  // What is wrong besides keys that nobody knows can be told too.
  const checked = strict.success ? strict : studyFile.safeParse(withoutUnknown(content, strict.error.issues));
  if (!checked.success) throw problem(path, wrong);
  const isFree = (relative: string) => isAbsolute(relative) || /^(hf|https?|synthetic):/.test(relative);
  const { study, problems } = await entriesOf(checked.data, path, (relative) =>
    isFree(relative) ? relative : resolve(dirname(path), relative),
  );
  refuse(path, [
    ...wrong,
    ...problems.map(
      ({ at, message, alone }) => `${placeOf(document, at, lines)}${alone ? '' : `${where(at)} `}${message}`,
    ),
  ]);
  return study;
}

/** The same without the keys that are told of. */
function withoutUnknown(content: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(content);
  for (const issue of issues.flatMap(bestOf)) {
    if (issue.code !== 'unrecognized_keys') continue;
    const at = issue.path.reduce<unknown>(
      (place, key) => (place as Record<PropertyKey, unknown> | undefined)?.[key],
      copy,
    );
    for (const key of issue.keys) delete (at as Record<string, unknown> | undefined)?.[key];
  }
  return copy;
}

function refuse(path: string, problems: readonly string[]): void {
  if (problems.length > 0) throw problem(path, problems);
}

/** All that is wrong, since a file is written by hand. */
function problem(path: string, problems: readonly string[]): CritmapError {
  const [first = '', ...more] = problems.map((text) =>
    /^\d/.test(text) ? `${path}:${text}` : `${path}: ${text}`,
  );
  const others = more.length > 0 ? `; ${some(more, SHOWN)}` : '';
  return new CritmapError('ERR_STUDY', `${first}${others}`);
}

const messageOfParser = (message: string) =>
  message.startsWith('Maximum call stack') ? 'it is nested too deeply' : message;

/** Where keys are that their map has already. */
function secondKeys(document: Document): number[] {
  const found: number[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) found.push(key.range?.[0] ?? 0);
        seen.add(key.value);
      }
    },
  });
  return found;
}

function contentsOf(path: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    throw new CritmapError('ERR_STUDY', `${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Puts the environment's values in; what is not set is a problem. */
function withEnvironment(
  document: Document,
  env: NonNullable<ReadStudyOptions['env']>,
  lines: LineCounter,
): string[] {
  const problems: string[] = [];
  const replace = (node: Scalar<string>) =>
    node.value.replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (words, name: string, preset?: string) => {
      const value = env[name] || preset;
      if (value !== undefined) return value;
      const { line, col } = lines.linePos(node.range?.[0] ?? 0);
      problems.push(`${line}:${col}: the environment variable ${name} is not set`);
      return words;
    });
  visit(document, {
    Scalar(key, node) {
      if (key !== 'key' && isScalar(node) && typeof node.value === 'string') {
        const value = replace(node as Scalar<string>);
        // A plain one may be a number now.
        const isChanged = value !== node.value;
        node.value = isChanged && node.type === 'PLAIN' ? plainValue(value) : value;
      }
    },
  });
  return problems;
}

/** A number or a truth value that is written without quotes; all else is text. */
function plainValue(text: string): unknown {
  const value: unknown = parse(text, { logLevel: 'silent' });
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}

/** The names that an object at this place may have. */
function namesAt(path: readonly PropertyKey[]): string[] {
  const [first] = path;
  if (first === undefined) return Object.keys(studyFile.shape);
  if (first === 'models') return Object.keys(modelEntry.shape);
  if (first === 'data') return ['path', 'name', ...Object.keys(choiceTable)];
  if (first === 'categories') return ['name', 'color'];
  return [...Object.keys(sourceTable), ...Object.keys(choiceTable)];
}
