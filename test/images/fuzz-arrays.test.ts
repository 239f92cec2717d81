/** Some hundred damaged files; `node test/images/fuzz-arrays.mjs 1000000` does a million. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('damaged npy, npz, tar and Parquet files never crash, hang or fill the memory', (t) => {
  const script = fileURLToPath(new URL('fuzz-arrays.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '250', '1'], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  const { read, refused, reasons } = JSON.parse(stdout);
  t.equal(read + refused, 250);
  t.ok(read > 10, `${read} are still images`);
  t.ok(refused > 100, `${refused} are refused`);
  t.ok(reasons > 8, `for ${reasons} different reasons`);
  t.end();
});

t.test('a run of values that is longer than its page does not end the process', (t) => {
  const script = fileURLToPath(new URL('fuzz-arrays.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '1', '200013'], {
    encoding: 'utf8',
  });
  t.equal(status, 0, stderr);
  t.match(JSON.parse(stdout), { read: 0, refused: 1 });
  t.end();
});
