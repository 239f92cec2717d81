import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { example, fixture } from '../fixtures.js';

const program = fileURLToPath(new URL('./api.mjs', import.meta.url));

t.test('10,000 calls of the public API with junk end no process and leave no rejection', async (t) => {
  for (const seed of ['1', '2', '3', '4']) {
    const cwd = t.testdir({});
    const env = { ...process.env, XDG_CACHE_HOME: join(cwd, 'cache-home') };
    const args = [program, seed, '2500', fixture('mlp.onnx'), example('images.npz')];
    const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (text) => (stdout += text));
    const [code, signal] = await once(child, 'close');
    t.strictSame([code, signal], [0, null], `seed ${seed}`);
    const { returned, threw, strange } = JSON.parse(stdout);
    t.strictSame(strange, [], `seed ${seed}: only errors of misuse, and none that nobody waits for`);
    t.ok(returned > 200 && threw > 1000, `${returned} returned, ${threw} threw`);
    t.equal(returned + threw, 2500);
  }
});
