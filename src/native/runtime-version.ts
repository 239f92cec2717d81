/** Which ONNX Runtime computes. */
import { CritmapError, messageOf } from '../errors.js';
import { onnxruntimeVersion } from '../version.js';
import { native } from './addon.js';
import { onnxruntimeLibrary } from './onnxruntime-library.js';

/**
 * The version of the ONNX Runtime that an engine computes with: the fast one's library, which CRITMAP_ONNXRUNTIME may
 * name, or the package that the reference engine uses.
 *
 * @throws CritmapError `ERR_NATIVE` when the library is not there or does not load
 */
export async function runtimeVersion(engine: 'fast' | 'reference'): Promise<string> {
  if (engine === 'reference') return onnxruntimeVersion();
  const library = onnxruntimeLibrary();
  try {
    return await native().runtime.version(library);
  } catch (error) {
    throw new CritmapError('ERR_NATIVE', messageOf(error), { cause: error });
  }
}
