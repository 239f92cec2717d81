/** Where ONNX Runtime's shared library is. */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';

/**
 * The ONNX Runtime library that the `onnxruntime-node` package ships, or the file that the environment variable
 * `CRITMAP_ONNXRUNTIME` names, or the one in the folder that it names.
 *
 * @throws CritmapError `ERR_NATIVE` when there is none for this platform
 */
export function onnxruntimeLibrary(): string {
  const override = process.env.CRITMAP_ONNXRUNTIME;
  if (override) {
    if (existsSync(override))
      return statSync(override).isDirectory() ? inFolder(override) : resolve(override);
    throw new CritmapError('ERR_NATIVE', `CRITMAP_ONNXRUNTIME names ${override}, which is not there.`);
  }
  const folder = join(onnxruntimePackage(), 'bin', 'napi-v6', process.platform, process.arch);
  const found = libraryIn(folder);
  if (found) return found;
  throw new CritmapError(
    'ERR_NATIVE',
    `onnxruntime-node ships no ONNX Runtime for ${process.platform}-${process.arch} (looked for ${names.join(', ')} in ${folder}). Let CRITMAP_ONNXRUNTIME name the library.`,
  );
}

const names =
  process.platform === 'win32'
    ? ['onnxruntime.dll']
    : process.platform === 'darwin'
      ? ['libonnxruntime.1.dylib', 'libonnxruntime.dylib']
      : ['libonnxruntime.so.1', 'libonnxruntime.so'];

const libraryIn = (folder: string) =>
  names.map((name) => join(folder, name)).find((file) => existsSync(file));

function inFolder(folder: string): string {
  const found = libraryIn(folder);
  if (found) return resolve(found);
  throw new CritmapError(
    'ERR_NATIVE',
    `CRITMAP_ONNXRUNTIME names the folder ${folder}, which has no ${names.join(' and no ')}.`,
  );
}

function onnxruntimePackage(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  } catch (error) {
    throw new CritmapError('ERR_NATIVE', `onnxruntime-node is not installed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
