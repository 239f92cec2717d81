/** A disk that refuses any one of the calls of a sweep, or all from it on: one line, and it can be gone on with. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeReport } from '../../src/commands/write-report.js';
import { CritmapError } from '../../src/errors.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { files } from '../../src/run/run.js';
import { sweep } from '../../src/sweep/sweep.js';
import { type Failing, onFailingDisk } from '../failing-disk.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('mlp.onnx'));

/** Two chunks at once, more cells than are put away in one turn of the event loop, results and a report. */
async function run(out: string) {
  const images = await openImages('synthetic:300', { ...modelInput(model), images: 300 });
  try {
    const { summary } = await sweep(model, images, { out, trials: 12, threads: 2 });
    await writeReport([summary], join(out, files.report));
  } finally {
    await images.close();
  }
}

const summaryOf = (directory: string) => readFileSync(join(directory, files.summary), 'utf8');
const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

t.test('every call fails in turn', { timeout: 600_000 }, async (t) => {
  const folder = t.testdir({});
  const whole = join(folder, 'whole');
  const calls = await onFailingDisk(whole, null, () => run(whole));
  t.ok(calls > 30, `${calls} calls`);
  const page = readFileSync(join(whole, files.report), 'utf8');

  for (let at = 0; at < calls; at++) {
    for (const failing of [
      { at, code: 'EIO', once: true },
      { at, code: 'ENOSPC', once: false },
    ] satisfies Failing[]) {
      const name = `${failing.code} at call ${at}`;
      const out = join(folder, `${at}-${failing.code}`);
      let thrown: unknown;
      await onFailingDisk(out, failing, () => run(out)).catch((error) => (thrown = error));
      if (thrown === undefined) {
        t.ok(failing.once, `${name} may be got over when it is alone`);
        t.equal(summaryOf(out), summaryOf(whole), name);
      } else if (
        !(thrown instanceof CritmapError) ||
        thrown.code !== 'ERR_RUN' ||
        /\n/.test(thrown.message)
      ) {
        t.fail(`${name}: ${(thrown as Error).stack}`);
      }
      const left = existsSync(out) ? readdirSync(out) : [];
      t.notOk(left.includes(files.lock), `${name}: nobody holds it`);
      t.notOk(
        left.some((file) => file.endsWith('.tmp')),
        `${name}: what was begun is gone`,
      );
      await run(out);
      t.equal(summaryOf(out), summaryOf(whole), `${name}: gone on with`);
      t.equal(readFileSync(join(out, files.report), 'utf8').length, page.length);
    }
  }
  t.strictSame(unhandled, [], 'no rejection that nobody handles');
});

t.test('a page that cannot be written leaves the one that is there', async (t) => {
  const out = join(t.testdir({}), 'run');
  await run(out);
  const page = join(out, files.report);
  const before = readFileSync(page, 'utf8');
  const summary = JSON.parse(summaryOf(out));
  const calls = await onFailingDisk(out, null, () => writeReport([summary], page));
  for (let at = 0; at < calls; at++) {
    const failing: Failing = { at, code: 'ENOSPC', once: false };
    await t.rejects(
      onFailingDisk(out, failing, () => writeReport([summary], page)),
      { code: 'ERR_RUN' },
    );
    t.equal(readFileSync(page, 'utf8').length, before.length);
  }
});
