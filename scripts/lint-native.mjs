/**
 * The rooms of `cpp` and `binding`, as .dependency-cruiser.mjs has those of `src`: a room includes from below only,
 * `cpp` knows nothing of Node, `binding` computes nothing. Prints what breaks it, one line each; exit 1 if any does.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));

/** From the ground up. */
const floors = [
  ['simd', 'system', 'onnxruntime'],
  ['random', 'images'],
  ['metrics', 'resets'],
  ['paths', 'engine'],
  ['cuda'],
  ['gpu-check'],
];
const floorOf = new Map(floors.flatMap((rooms, floor) => rooms.map((room) => [room, floor])));

/** Lane by lane arithmetic: what a vector or a kernel does with one element. */
const ARITHMETIC = [
  /#include "[^"]*(_kernel|_terms|lanes\w*)\.h"/,
  /#include <(numeric|immintrin\.h|x86intrin\.h)>/,
  /std::(exp|log|sqrt|pow|fma|sin|cos|tanh|erf|accumulate|inner_product|transform_reduce)\b/,
];
const NODE = /napi|node_api|\bv8\.h/i;

const sources = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, name))
    .filter((name) => /\.(h|cpp|cu)$/.test(name));
const linesOf = (file) => readFileSync(join(root, file), 'utf8').split('\n');

const faults = [];
const cpp = sources('cpp');
const binding = sources('binding');
if (cpp.length < 40 || binding.length < 10) faults.push('the sources of cpp and binding were not found');

for (const file of cpp) {
  const room = file.split(/[\\/]/)[1];
  const floor = floorOf.get(room);
  if (floor === undefined) faults.push(`${file}: ${room} has no floor in scripts/lint-native.mjs`);
  for (const [i, line] of linesOf(file).entries()) {
    const at = `${file}:${i + 1}`;
    if (NODE.test(line)) faults.push(`${at}: cpp knows nothing of Node`);
    const included = /#include "([^"]+)"/.exec(line)?.[1];
    if (!included || existsSync(join(root, dirname(file), included))) continue;
    // cuda_runtime.h and emulation.h are the toolkit's or the tests'.
    if (!included.includes('/')) {
      faults.push(`${at}: ${included} is included without its room`);
      continue;
    }
    const [other] = included.split('/');
    if (other !== room && !((floorOf.get(other) ?? Infinity) < floor)) {
      faults.push(`${at}: ${room} takes from below only, ${other} is not`);
    }
  }
}
for (const file of binding) {
  for (const [i, line] of linesOf(file).entries()) {
    if (ARITHMETIC.some((what) => what.test(line))) faults.push(`${file}:${i + 1}: binding computes nothing`);
  }
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
