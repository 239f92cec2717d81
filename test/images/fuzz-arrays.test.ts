/** A few thousand damaged files; `node test/images/fuzz-arrays.mjs 1000000` does a million. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('damaged npy, npz, tar and Parquet files never crash, hang or fill the memory', (t) => {
  const script = fileURLToPath(new URL('fuzz-arrays.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '2000', '1'], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  const { read, refused, reasons } = JSON.parse(stdout);
  t.equal(read + refused, 2000);
  t.ok(read > 100, `${read} are still images`);
  t.ok(refused > 500, `${refused} are refused`);
  t.ok(reasons > 20, `for ${reasons} different reasons`);
  t.end();
});
