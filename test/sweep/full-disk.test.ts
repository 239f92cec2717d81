/** A sweep whose results have no room: it ends with one line, and what is there can be gone on with. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { readRun } from '../../src/run/read-run.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';
import { onFullDisk } from '../full-disk.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const layers = model.layers.slice(0, 2).map(({ name }) => name);

async function run(out: string) {
  const images = await openImages('synthetic:300', { ...modelInput(model), images: 300 });
  try {
    return await sweep(model, images, { out, layers, trials: 1 });
  } finally {
    await images.close();
  }
}

const summaryOf = (directory: string) => readFileSync(join(directory, 'summary.json'), 'utf8');

t.test('a full disk ends a sweep with one line, wherever it becomes full', async (t) => {
  const dir = t.testdir({});
  const whole = join(dir, 'whole');
  await run(whole);
  const size = (name: string) => statSync(join(whole, name)).size;
  // In the order of writing: the lock, run.json, images.csv, the journal, the results.
  const begun = 100 + size('run.json') + size('images.csv');
  const places = {
    lock: 10,
    'run.json': 300,
    'images.csv': begun - 100,
    'the first line of the journal': begun + 100,
    'the middle of the journal': begun + size('cells.ndjson') / 2,
    results: begun + size('cells.ndjson') + 100,
  };
  for (const [place, bytes] of Object.entries(places)) {
    const out = join(dir, place.replaceAll(' ', '-'));
    await t.rejects(
      onFullDisk(out, Math.round(bytes), () => run(out)),
      {
        code: 'ERR_RUN',
        message: /^cannot write .*: the disk is full; make room and repeat the command$/,
      },
      place,
    );
    const names = readdirSync(out);
    t.notOk(names.includes('lock'), 'nobody holds it');
    t.notOk(
      names.some((name) => name.endsWith('.tmp')),
      'what was begun is gone',
    );
    const journal = readFileSync(join(out, 'cells.ndjson'), { encoding: 'utf8', flag: 'a+' });
    t.ok(journal === '' || journal.endsWith('\n'), 'the journal has whole lines only');
    for (const line of journal.split('\n').slice(0, -1)) JSON.parse(line);
    await run(out);
    t.equal(summaryOf(out), summaryOf(whole), 'the same as if nothing had been');
    t.equal((await readRun(out)).summary.layers.length, 2);
  }
});
