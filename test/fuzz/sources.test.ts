/** Some hundred damaged files; for more see the script. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const script = fileURLToPath(new URL('sources.mjs', import.meta.url));

interface Result extends Record<'accepted' | 'refused' | 'reasons', number> {
  readonly reader: string;
  readonly failures: readonly unknown[];
}

t.test('damaged images, shards and arrays give images or one line, without crash or hunger', (t) => {
  const run = spawnSync(process.execPath, [script, 'all', '1', '256'], { encoding: 'utf8' });
  t.equal(run.status, 0, `signal ${run.signal} ${run.stderr.slice(-2000)} ${run.stdout}`);
  const results = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  t.strictSame(
    results.map((result) => result.reader),
    ['png', 'jpeg', 'others', 'tar', 'parquet', 'npy', 'npz', 'labels'],
  );
  for (const result of results) {
    t.strictSame(result.failures, []);
    t.equal(result.accepted + result.refused, 256);
    t.ok(result.accepted > 10, `${result.accepted} are still images`);
    // Of a PNG file the decoder says where it is damaged, and not how: see src/images/pixels/reasons.ts.
    const fewest = result.reader === 'png' ? 3 : 6;
    t.ok(result.reasons >= fewest, `${result.reader}: ${result.reasons} different reasons`);
  }
  t.end();
});
