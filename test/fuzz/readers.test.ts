import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const child = fileURLToPath(new URL('./readers.mjs', import.meta.url));

/** For longer runs see the script. */
t.test('damaged files of every kind end in a result or in one line, without crash or hunger', async (t) => {
  const run = spawnSync(process.execPath, ['--max-old-space-size=64', child, 'all', '1', '700'], {
    encoding: 'utf8',
    timeout: 240_000,
  });
  t.equal(run.status, 0, `signal ${run.signal} ${run.stderr.slice(-2000)} ${run.stdout}`);
  const results = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { reader: string; failures: unknown[]; accepted: number });
  t.strictSame(
    results.map(({ reader }) => reader),
    ['safetensors', 'zip', 'legacy', 'pickle', 'onnx', 'npy', 'npz'],
  );
  for (const { reader, failures, accepted } of results) {
    t.strictSame(failures, [], reader);
    t.ok(accepted > 5, `${reader}: some files are still whole enough to be read`);
  }
});
