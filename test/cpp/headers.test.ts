import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cpp = join(root, 'cpp');
const missing = (command: string) =>
  spawnSync(command, ['--version']).error ? `${command} is not on PATH` : false;

t.test('the per-element headers compile for host and device', { skip: missing('nvcc') }, async (t) => {
  const source = `
#include "metrics/exponential.h"
#include "random/draw.h"
using namespace critmap;
__global__ void all(float* out, uint64_t block, Draw draw) {
  OneLane::Wide c[4];
  philox_blocks<OneLane>(c, block, 0, draw.key);
  OneLane::Words words[4];
  OneLane::pack(c, words);
  const auto source = [&](uint64_t) { return words[0]; };
  out[0] = draw_value<OneLane, DrawKind::uniform>(draw, source).v[0];
  out[1] = draw_value<OneLane, DrawKind::normal>(draw, source).v[0];
  out[2] = draw_value<OneLane, DrawKind::truncated>(draw, source).v[0];
  out[3] = exponential<OneLane>(OneLane::set(-out[0])).v[0];
  out[4] = twice_logarithm_1p<OneLane>(OneLane::set(out[0])).v[0];
  out[5] = float(logarithm(double(out[0])));
}
int main() { all<<<1, 1>>>(nullptr, 0, Draw{}); }
`;
  const dir = t.testdir({ 'headers.cu': source });
  const options = [
    '-std=c++20',
    '-fmad=false',
    '-Werror',
    'all-warnings',
    '-I',
    cpp,
    '-c',
    'headers.cu',
    '-o',
  ];
  t.doesNotThrow(() => execFileSync('nvcc', [...options, 'headers.o'], { cwd: dir, stdio: 'pipe' }));
});

t.test(
  'what is compiled for newer processors shares no code with the rest',
  { skip: missing('nm') || (process.arch !== 'x64' && 'the processor has no such paths') },
  async (t) => {
    const objects = join(root, 'build', 'CMakeFiles', 'critmap_core.dir', 'cpp', 'paths');
    const files = readdirSync(objects).filter((name) => /^kernels_avx.*\.o$/.test(name));
    t.strictSame(files.sort(), ['kernels_avx2.cpp.o', 'kernels_avx512.cpp.o']);
    for (const file of files) {
      const symbols = execFileSync('nm', ['-C', join(objects, file)], { encoding: 'utf8' }).split('\n');
      // A weak symbol (W, V, u) may be the copy that the linker keeps for everyone.
      const shared = symbols.filter((line) => /^\S* +[WVu] /.test(line));
      t.strictSame(shared, [], file);
      const defined = symbols
        .filter((line) => /^\S+ [TDBR] /.test(line))
        .map((line) => line.split(' ').at(-1));
      t.strictSame(
        defined,
        [`critmap::${file.replace('.cpp.o', '')}`.replace(/kernels_(.*)/, '$1_kernels')],
        file,
      );
    }
  },
);

t.test('the arithmetic knows nothing of Node', async (t) => {
  const sources = (readdirSync(cpp, { recursive: true }) as string[]).filter((name) =>
    /\.(h|cpp|cu)$/.test(name),
  );
  t.ok(sources.includes(join('engine', 'engine.cpp')) && sources.length > 60, 'the sources are found');
  for (const name of sources) {
    const text = readFileSync(join(cpp, name), 'utf8');
    t.notMatch(text, /napi|node_api|v8\.h/i, name);
    // Rooms import each other by their names, seen from cpp/; check.h is gpu-check's own.
    const bare = [...text.matchAll(/#include "([^"/]+)"/g)].map(([, file]) => file);
    t.strictSame(
      bare.filter((file) => file !== 'check.h' && file !== 'emulation.h'),
      [],
      name,
    );
  }
});
