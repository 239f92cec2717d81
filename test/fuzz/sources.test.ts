/** Some hundred damaged files; for more see the script. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const script = fileURLToPath(new URL('sources.mjs', import.meta.url));

t.test('damaged images, shards and arrays give images or one line, without crash or hunger', (t) => {
  const run = spawnSync(process.execPath, [script, 'all', '1', '256'], { encoding: 'utf8' });
  t.equal(run.status, 0, `signal ${run.signal} ${run.stderr.slice(-2000)} ${run.stdout}`);
  const results = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<'accepted' | 'refused' | 'reasons', number>);
  t.strictSame(
    results.map((result) => (result as unknown as { reader: string }).reader),
    ['png', 'jpeg', 'others', 'tar', 'parquet', 'npy', 'npz', 'labels'],
  );
  for (const result of results) {
    t.strictSame((result as unknown as { failures: unknown[] }).failures, []);
    t.equal(result.accepted + result.refused, 256);
    t.ok(result.accepted > 10, `${result.accepted} are still images`);
    t.ok(result.reasons > 5, `${result.reasons} different reasons`);
  }
  t.end();
});
