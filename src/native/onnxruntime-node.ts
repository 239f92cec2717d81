/**
 * The public API of ONNX Runtime. Nothing else in `src` imports the onnxruntime-node package: whoever gets it here has
 * loaded the addon first, which forbids the runtime to gather and send usage data.
 */
import { createRequire } from 'node:module';
import { native } from './addon.js';

type OnnxruntimeNode = typeof import('onnxruntime-node');

let loaded: OnnxruntimeNode | undefined;

/** Loaded on first use. @throws CritmapError (ERR_NATIVE) without the addon; Error when the package does not load */
export function onnxruntimeNode(): OnnxruntimeNode {
  if (!loaded) {
    native();
    loaded = createRequire(import.meta.url)('onnxruntime-node') as OnnxruntimeNode;
  }
  return loaded;
}
