/** What is wrong with a study's file, in sentences that begin with line and column. */
import { type Document, isMap, isNode, isScalar, type LineCounter, type Node } from 'yaml';
import type { z } from 'zod';
import { quoted } from '../errors.js';
import { meantBy } from '../meant.js';
import { wantedOf } from '../options.js';
import { largest } from '../statistics/extremes.js';
import { choiceTable, sourceTable } from './schema.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

const known: Record<string, z.ZodType> = { ...sourceTable, ...choiceTable };

/** `12:5: models[3].accuracy must be ...` for each issue. */
export function describeIssues(
  issues: readonly Issue[],
  document: Document,
  lines: LineCounter,
  names: (path: Path) => readonly string[],
): string[] {
  return issues.flatMap(bestOf).map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const node = keys.length > 0 ? keyAt(document, issue.path, keys[0]!) : nodeAt(document, issue.path);
    const sentence =
      keys.length > 0 ? unknownKey(issue.path, keys[0]!, names(issue.path)) : wrongValue(issue, node);
    return `${position(node, lines)}${sentence}`;
  });
}

/** Line and column of a place in the file, from 1: `12:5: `; of a place that is not there, of what encloses it. */
export function placeOf(document: Document, path: Path, lines: LineCounter): string {
  return position(nodeAt(document, path), lines);
}

function position(node: Node | null, lines: LineCounter): string {
  const offset = node?.range?.[0];
  if (offset === undefined) return '';
  const { line, col } = lines.linePos(offset);
  return `${line}:${col}: `;
}

/** Of a value that may be several things, what is wrong with the thing that it comes nearest to. */
export function bestOf(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const branches = issue.errors.map((errors) => errors as Issue[]);
  const reached = (errors: readonly Issue[]) =>
    largest(
      errors.map(({ path }) => path.length),
      0,
    );
  const isKindRight = (errors: readonly Issue[]) =>
    !errors.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
  const right = branches.filter(isKindRight).sort((a, b) => reached(b) - reached(a))[0];
  if (!right) return [issue];
  return right.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue).flatMap(bestOf);
}

function nodeAt(document: Document, path: Path): Node | null {
  for (let length = path.length; length >= 0; length--) {
    const found = document.getIn(path.slice(0, length) as unknown[], true);
    if (isNode(found)) return found;
  }
  return document.contents as Node | null;
}

function keyAt(document: Document, path: Path, key: string): Node | null {
  const map = nodeAt(document, path);
  const pair = isMap(map)
    ? map.items.find(({ key: found }) => isScalar(found) && String(found.value) === key)
    : undefined;
  return isNode(pair?.key) ? pair.key : map;
}

function unknownKey(path: Path, key: string, names: readonly string[]): string {
  const near = meantBy(key, names);
  const hint = near === null ? '' : `; did you mean ${near}?`;
  return `${where(path) || 'the study'} has no ${quoted(key)}${hint}`;
}

function wrongValue(issue: Issue, node: Node | null): string {
  const name = where(issue.path) || 'the study';
  const value = isScalar(node) ? node.value : undefined;
  const got = value === undefined || value === null ? '' : `, got ${quoted(String(value))}`;
  const wanted = wantedBy(issue);
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  if (isMissing) return `${name} is missing`;
  return wanted === null ? `${name} ${issue.message}` : `${name} must be ${wanted}${got}`;
}

function wantedBy(issue: Issue): string | null {
  if (issue.code === 'custom') return null;
  const last = [...issue.path].reverse().find((key) => typeof key === 'string' && key in known);
  const schema = typeof last === 'string' ? known[last] : undefined;
  if (schema) return wantedOf(schema);
  if (issue.code === 'invalid_format') {
    return issue.path.at(-1) === 'color'
      ? 'a colour such as #1b9e77'
      : 'a name that a folder can have: letters, digits, and . _ @ + - between';
  }
  if (issue.code === 'invalid_key') return 'keyed by names of letters, digits, and . _ @ + - between';
  if (issue.code === 'too_small')
    return `at least ${issue.minimum}${issue.origin === 'array' ? ' long' : ''}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum}`;
  if (issue.code === 'invalid_union') return 'a path or an object';
  return issue.code === 'invalid_type' ? `${article(issue.expected)} ${issue.expected}` : null;
}

const article = (word: string) => (/^[aeiou]/.test(word) ? 'an' : 'a');

/** `models[3].accuracy` */
export const where = (path: Path): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  );
