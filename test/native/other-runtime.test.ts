/** ONNX Runtime from elsewhere: its version, and the cuDNN beside it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { native } from '../../src/native/addon.js';
import { onnxruntimeLibrary } from '../../src/native/onnxruntime-library.js';
import { runtimeVersion } from '../../src/native/runtime-version.js';
import { onnxruntimeVersion } from '../../src/version.js';
import { critmapIn } from '../commands/critmap.js';
import { example } from '../fixtures.js';

const library = onnxruntimeLibrary();
const skip = process.platform === 'linux' ? false : 'the library is patched as Linux has it';

t.test('an engine has the version of what it computes with', async (t) => {
  t.equal(await runtimeVersion('fast'), await native().runtime.version(library));
  t.equal(await runtimeVersion('reference'), onnxruntimeVersion());
  await t.rejects(native().runtime.version(1 as unknown as string), TypeError);
  await t.rejects(native().runtime.version('/no/such/library.so'), { message: /cannot load/ });
});

t.test("a run is of the version that was loaded, not of the package's", { skip }, async (t) => {
  const folder = t.testdir({});
  const other = join(folder, basename(library));
  const version = onnxruntimeVersion();
  const said = version.replace(/\d$/, (digit) => `${(Number(digit) + 1) % 10}`);
  const bytes = readFileSync(library);
  const text = (words: string) => Buffer.from(`\0${words}\0`, 'latin1');
  let at = bytes.indexOf(text(version));
  t.ok(at >= 0);
  for (; at >= 0; at = bytes.indexOf(text(version), at + 1)) bytes.set(text(said), at);
  writeFileSync(other, bytes);
  const out = join(folder, 'run');
  const words = ['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--out', out];
  const sweep = (variables: NodeJS.ProcessEnv) =>
    critmapIn(variables, ...words, '--images', '8', '--trials', '1', '--layers', 'fc');
  const first = await sweep({ CRITMAP_ONNXRUNTIME: other });
  t.equal(first.code, 0, first.stderr);
  const { options, environment } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  t.strictSame([options.onnxruntime, environment.onnxruntime], [said, said]);
  const second = await sweep({});
  t.equal(second.code, 1);
  t.match(second.stderr, `holds another run (onnxruntime "${said}", now "${version}")`);
});

const compiler = process.env.CC ?? 'cc';
const { compiled, reason } = native().cuda();
const withoutCompiler =
  process.platform !== 'linux'
    ? 'cuDNN is looked for as Linux has it'
    : !compiled || reason === undefined
      ? 'the addon has no CUDA code, or a card'
      : spawnSync(compiler, ['--version']).error
        ? `${compiler} is not on PATH`
        : false;

t.test('a card is not opened without cuDNN, which is named', { skip: withoutCompiler }, async (t) => {
  const folder = t.testdir({ 'empty.c': '' });
  symlinkSync(library, join(folder, basename(library)));
  const refusal = () => {
    const source = `
      import { native } from ${JSON.stringify(new URL('../../src/native/addon.ts', import.meta.url).href)};
      const library = ${JSON.stringify(join(folder, basename(library)))};
      try { native().engine.open({ library, threads: 1, cards: [0] }); } catch (error) { console.log(error.message); }`;
    const child = ['--import=tsx', '--input-type=module', '-e', source];
    return spawnSync(process.execPath, child, { encoding: 'utf8' }).stdout;
  };
  const lacking =
    /and cuDNN 9, which its convolutions need, does not load \(libcudnn\.so\.9: .*\); install it/;
  const before = refusal();
  // Where the system has one there is nothing to find beside.
  if (spawnSync('ldconfig', ['-p'], { encoding: 'utf8' }).stdout?.includes('libcudnn.so.9')) return;
  t.match(before, lacking);
  const built = spawnSync(compiler, [
    ...['-shared', '-Wl,-soname,libcudnn.so.9', '-o', join(folder, 'libcudnn.so.9'), join(folder, 'empty.c')],
  ]);
  t.equal(built.status, 0);
  const after = refusal();
  t.match(after, /cannot use a GPU: .*libonnxruntime_providers/s, 'the provider is lacking all the same');
  t.notMatch(after, /cuDNN 9/);
});
