/** Some hundred damaged files; for more see the script. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { native } from '../../src/native/addon.js';

const script = fileURLToPath(new URL('one-go.mjs', import.meta.url));
const noJpeg = native().info().jpeg ? false : 'built without libjpeg-turbo';

t.test('damaged JPEG files give the same picture in one go, or none', { skip: noJpeg }, (t) => {
  const run = spawnSync(process.execPath, [script, '1', '500'], { encoding: 'utf8' });
  t.equal(run.status, 0, `signal ${run.signal} ${run.stderr.slice(-2000)} ${run.stdout}`);
  const { inOneGo, refused } = JSON.parse(run.stdout) as { inOneGo: number; refused: number };
  t.ok(inOneGo > 100 && refused > 100, run.stdout);
  t.end();
});
