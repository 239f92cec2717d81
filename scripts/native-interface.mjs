/**
 * The number of the surface between `src` and the addon, which tells an addon of other sources. What the surface is, is
 * read from its types (comments and functions do not count) and from the names that binding/addon.cpp adds.
 *
 *   node scripts/native-interface.mjs           says what does not fit, exit 1 if anything does not (part of the lint)
 *   node scripts/native-interface.mjs --raise   the surface has changed: the next number
 *   node scripts/native-interface.mjs --same    it has changed in words only: an addon of before still serves
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const SURFACE = ['addon', 'card', 'columns', 'comparison', 'engine', 'reset-rule'].map(
  (name) => `src/native/${name}.ts`,
);
const HEADER = 'binding/interface.h';
const SOURCE = 'src/native/interface.ts';
const NUMBERS = { [HEADER]: /(interface_number = )(\d+)/, [SOURCE]: /(interfaceNumber = )(\d+)/ };
const DIGEST = /(native-interface\.mjs reads it: )(\w*)/;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const [mode] = process.argv.slice(2);
  if (mode === '--raise' || mode === '--same') {
    process.stdout.write(`the addon's surface has number ${settle(root, mode === '--raise')}\n`);
  } else {
    const faults = faultsIn(root);
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    process.exitCode = faults.length > 0 ? 1 : 0;
  }
}

/** What does not fit in a tree, one sentence each. */
export function faultsIn(root) {
  const faults = [];
  const [header, source] = numbersIn(root);
  if (header !== source) faults.push(`${HEADER} has number ${header}, ${SOURCE} ${source}`);
  if (DIGEST.exec(readFileSync(join(root, SOURCE), 'utf8'))?.[2] !== digestOf(root)) {
    faults.push(
      'the surface between src/native and binding is another one. If an addon that was built before cannot serve ' +
        'these sources (it lacks a function, a kind or a field that they use), run ' +
        '`node scripts/native-interface.mjs --raise`; if only names in TypeScript changed, with --same',
    );
  }
  return faults;
}

/** Writes that the surface of a tree is what it is, with the next number or the same. @returns the number */
export function settle(root, isRaised) {
  const number = Math.max(...numbersIn(root)) + (isRaised ? 1 : 0);
  const digest = digestOf(root);
  for (const [file, place] of Object.entries(NUMBERS)) {
    const text = readFileSync(join(root, file), 'utf8').replace(place, `$1${number}`);
    writeFileSync(join(root, file), text.replace(DIGEST, `$1${digest}`));
  }
  return number;
}

function numbersIn(root) {
  return Object.entries(NUMBERS).map(([file, place]) =>
    Number(place.exec(readFileSync(join(root, file), 'utf8'))?.[2]),
  );
}

function digestOf(root) {
  return createHash('sha256').update(surface(root)).digest('hex').slice(0, 16);
}

/** The types and constants of the surface without comments, and the names of what the addon has. */
function surface(root) {
  const printer = ts.createPrinter({ removeComments: true });
  const types = SURFACE.flatMap((path) => {
    const file = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest);
    return file.statements
      .filter(isSurface)
      .map((one) => printer.printNode(ts.EmitHint.Unspecified, one, file));
  });
  const addon = readFileSync(join(root, 'binding/addon.cpp'), 'utf8');
  const names = [...addon.matchAll(/\badd<[^>]*>\((\w+), "(\w+)"\)/g)].map(([, of, name]) => `${of}.${name}`);
  if (types.length < 20 || names.length < 20) throw new Error("the addon's surface was not found");
  return [...types.map((text) => text.replace(/\s+/g, ' ')), ...names].sort().join('\n');
}

function isSurface(statement) {
  const isConstant =
    ts.isVariableStatement(statement) && statement.declarationList.flags & ts.NodeFlags.Const;
  const isExported = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  return (
    ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) || (isConstant && isExported)
  );
}
