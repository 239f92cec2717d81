/** critmap's own version and that of the runtime it computes with. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const read = (path: string | URL): string => JSON.parse(readFileSync(path, 'utf8')).version;

/** Of critmap: the `version` of its package.json. */
export const version: string = read(new URL('../package.json', import.meta.url));

export function onnxruntimeVersion(): string {
  return read(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}
