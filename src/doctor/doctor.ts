/** Whether critmap can run here, looked at thing by thing, from the outside in; the last one is a sweep. */
import { type Check, type Examination, examine } from './check.js';
import {
  cacheFolder,
  cores,
  memory,
  openFiles,
  type Terminal,
  temporaryFolder,
  terminal,
} from './machine.js';
import { addon, cards, codePath, hasAddon, ofRuntime, onnxruntime, providers } from './native.js';
import { buildTools, critmapItself, nodeVersion } from './programs.js';

/** @param seen - the terminal that the page goes to */
export async function* doctor(seen: Terminal): AsyncGenerator<Check> {
  const examinations: Examination[] = [
    { id: 'critmap', title: 'critmap', look: critmapItself },
    { id: 'node', title: 'Node.js', look: () => nodeVersion() },
    { id: 'addon', title: 'native addon', look: addon },
    { id: 'simd', title: 'code path', look: codePath },
    { id: 'compiler', title: 'build tools', look: () => buildTools(!hasAddon()) },
    { id: 'onnxruntime', title: 'ONNX Runtime', look: () => ofRuntime(onnxruntime) },
    { id: 'providers', title: 'providers', look: () => ofRuntime(providers) },
    { id: 'cuda', title: 'NVIDIA GPUs', look: cards },
    { id: 'memory', title: 'memory', look: () => memory() },
    { id: 'cores', title: 'cores', look: cores },
    { id: 'temporary', title: 'temporary files', look: temporaryFolder },
    { id: 'cache', title: 'cache', look: cacheFolder },
    { id: 'files', title: 'open files', look: () => openFiles() },
    { id: 'terminal', title: 'terminal', look: () => terminal(seen) },
    { id: 'sweep', title: 'a small sweep', look: smallSweep },
  ];
  for (const one of examinations) yield await examine(one);
}

/** What it loads may be what fails. */
async function smallSweep() {
  const { selfTest } = await import('./self-test.js');
  return selfTest(hasAddon());
}
