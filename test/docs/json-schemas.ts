/** The JSON Schemas that are shipped, as an outside program uses them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { root } from './pages.js';

/** What is wrong with a value, in words; empty where it fits. */
export type Check = (value: unknown) => string;

export function checkOf(name: string): Check {
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
  const fits = ajv.compile(JSON.parse(readFileSync(join(root, 'docs', name), 'utf8')));
  return (value) => (fits(value) ? '' : ajv.errorsText(fits.errors));
}

/** Links are not followed. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );

/** Every `run.json` and `summary.json` below a folder that does not fit, with the reason; and how many there are. */
export function misfitsIn(folder: string): { count: number; misfits: string[] } {
  const checks = ['run.json', 'summary.json'].map(
    (name) => [name, checkOf(name.replace('.json', '.schema.json'))] as const,
  );
  const found = filesBelow(folder).flatMap((path) =>
    checks.filter(([name]) => path.endsWith(`/${name}`)).map(([, check]) => ({ path, check })),
  );
  const misfits = found.flatMap(({ path, check }) => {
    const wrong = check(JSON.parse(readFileSync(path, 'utf8')));
    return wrong ? [`${path}: ${wrong}`] : [];
  });
  return { count: found.length, misfits };
}
