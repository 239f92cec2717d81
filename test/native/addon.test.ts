import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CritmapError } from '../../src/errors.js';
import { native } from '../../src/native/addon.js';

let imports = 0;

/** The module as another process would find it, with nothing loaded yet. */
const freshly = (): Promise<typeof import('../../src/native/addon.js')> =>
  import(`../../src/native/addon.js?${imports++}`);

t.test('the addon is found from the sources and loaded once', async (t) => {
  t.equal(native(), native());
  const { version, path, paths } = native().info();
  t.match(version, /^\d+\.\d+\.\d+/);
  t.ok(paths.includes(path));
});

t.test('CRITMAP_ADDON names another file, and a failure says what was tried and what to do', async (t) => {
  const before = process.env.CRITMAP_ADDON;
  t.teardown(() => {
    if (before === undefined) delete process.env.CRITMAP_ADDON;
    else process.env.CRITMAP_ADDON = before;
  });
  const thrown = async (file: string) => {
    process.env.CRITMAP_ADDON = file;
    const fresh = await freshly();
    try {
      fresh.native();
      return undefined;
    } catch (error) {
      return error as CritmapError;
    }
  };
  const missing = await thrown('/nowhere/critmap.node');
  t.equal(missing?.name, 'CritmapError');
  t.match(missing, { code: 'ERR_NATIVE', message: /\/nowhere\/critmap.node \(not there\).*CRITMAP_ADDON/ });
  t.notMatch(missing?.message, /\n/);
  const broken = await thrown(
    fileURLToPath(new URL('../../package.json', import.meta.url)).replace('.json', '.node'),
  );
  t.match(broken, { code: 'ERR_NATIVE' });
  t.ok(new CritmapError('ERR_NATIVE', 'x') instanceof Error);
});

t.test('a file that is no addon is reported with the reason', async (t) => {
  const dir = t.testdir({ 'critmap.node': 'not a library' });
  process.env.CRITMAP_ADDON = `${dir}/critmap.node`;
  t.teardown(() => delete process.env.CRITMAP_ADDON);
  const fresh = await freshly();
  t.throws(() => fresh.native(), { code: 'ERR_NATIVE', message: /critmap\.node \((?!not there)/ });
});

t.test('the addon loads and works in a process of its own', async (t) => {
  const file =
    process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url));
  const script = `const a = require(${JSON.stringify(file)});
    const v = new Float32Array(3); a.reset(v, { kind: 'constant', value: 2 });
    process.stdout.write(v.join() + ' ' + a.info().paths.at(-1));`;
  const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  t.strictSame([run.status, run.stdout], [0, '2,2,2 baseline']);
});
