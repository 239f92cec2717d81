/** Where critmap is, its own version and that of the runtime it computes with. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const read = (path: string): string => JSON.parse(readFileSync(path, 'utf8')).version;

/** The folder of this package, with `package.json`, `dist` and `fonts`; bundled files lie in other depths than sources. */
export const packageRoot: string = rootOf(dirname(fileURLToPath(import.meta.url)));

export const version: string = read(join(packageRoot, 'package.json'));

export function onnxruntimeVersion(): string {
  return read(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}

function rootOf(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootOf(dirname(folder));
}
