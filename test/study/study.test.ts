/** A small study of six models on two sets of images: whatever happens to it, it comes to the same bytes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parquetReadObjects } from 'hyparquet';
import Papa from 'papaparse';
import t, { type Test } from 'tap';
import { compareRuns } from '../../src/compare/compare-runs.js';
import { figureData } from '../../src/compare/figure-data.js';
import { drawingsOf } from '../../src/figures/all-figures.js';
import { statisticsOf } from '../../src/figures/statistics.js';
import { type StudyLine, studyEventSchema } from '../../src/study/events.js';
import { mergeStudies } from '../../src/study/merge-study.js';
import { readStudyResults } from '../../src/study/read-results.js';
import { readStudy } from '../../src/study/read-study.js';
import { type RunStudyOptions, runStudy, type StudyEvent } from '../../src/study/run-study.js';
import { writeStudyResults } from '../../src/study/write-results.js';
import { IncompleteRuns } from '../../src/sweep/merge.js';
import { critmap, start } from '../commands/critmap.js';
import { lacksRedis, startRedis } from '../queue/redis-server.js';
import { FILE, smallStudy } from './small-study.js';

const dir = t.testdir({ study: {}, redis: {} });
const file = await smallStudy(join(dir, 'study'));
const study = await readStudy(file);
const names = ['study.json', 'study.csv', 'study.parquet'];
const runs = study.sweeps.flatMap(({ place }) =>
  ['summary.json', 'results.csv', 'draws.csv'].map((name) => join(place, name)),
);
const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const bytesOf = (out: string) =>
  Object.fromEntries([...names, ...runs].map((name) => [name, hashOf(join(out, name))]));

const whole = join(dir, 'whole');
const run = (out: string, options: Partial<RunStudyOptions> = {}) => runStudy(study, { out, ...options });
const events: StudyEvent[] = [];
t.strictSame(await run(whole, { onEvent: (event) => events.push(event) }), []);
const results = await writeStudyResults(whole);
const expected = bytesOf(whole);

t.test('the next model is opened while one is swept', async (t) => {
  const opened = events.filter(({ type }) => type === 'opening').map(({ task }) => task.place);
  t.strictSame(
    opened,
    study.sweeps.map(({ place }) => place),
  );
  const positions = new Map(events.map(({ type, task }, i) => [`${type} ${task.place}`, i]));
  const late = study.sweeps
    .slice(0, -1)
    .filter(
      ({ place }, i) =>
        positions.get(`opening ${study.sweeps[i + 1]!.place}`)! > positions.get(`done ${place}`)!,
    );
  t.strictSame(late, []);
});

t.test('stopped anywhere and repeated', async (t) => {
  const out = join(dir, 'stopped');
  for (const after of [1, 3, 4]) {
    const stop = new AbortController();
    let started = 0;
    const onEvent = ({ type }: StudyEvent) => {
      if (type === 'started') started++;
      if (started === after && type === 'progress') stop.abort();
    };
    await t.rejects(run(out, { signal: stop.signal, onEvent }), { name: 'AbortError' });
  }
  const last: StudyEvent[] = [];
  t.strictSame(await run(out, { onEvent: (event) => last.push(event) }), []);
  const skipped = last.filter(({ type }) => type === 'skipped').length;
  t.ok(skipped >= 5, `${skipped} are not opened again`);
  await writeStudyResults(out);
  t.strictSame(bytesOf(out), expected);
});

t.test('killed and repeated, as a command', async (t) => {
  const out = join(dir, 'killed');
  for (const ms of [900, 1500]) {
    const child = start('study', file, '--out', out, '--quiet');
    await sleep(ms);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  const { code, stdout, stderr } = await critmap('study', file, '--out', out);
  t.equal(code, 0, stderr);
  t.match(stdout, /^m3 +mixed +\S+ +\S+ +\d+ of 3/m);
  t.match(stderr, /m5\/noisy done/);
  t.strictSame(bytesOf(out), expected);
});

/** Every shard, then all of them merged; without the second one first. */
async function sharded(t: Test, file: string, name: string, of: number): Promise<string> {
  const asked = await readStudy(file);
  const shards = Array.from({ length: of }, (_, i) => join(dir, `${name}-${i + 1}`));
  for (const [i, out] of shards.entries()) {
    const command = ['study', file, '--out', out, '--shard', `${i + 1}/${of}`];
    t.strictSame(await runStudy(asked, { out, shard: { index: i + 1, of }, command }), []);
  }
  const out = join(dir, `${name}-merged`);
  const lacking = await mergeStudies([shards[2]!, shards[0]!], out).catch((error) => error);
  t.ok(lacking instanceof IncompleteRuns);
  t.strictSame(lacking.commands, [
    `critmap study ${file} --out ${shards[1]} --shard 2/${of}`,
    'sbatch --array=2 SCRIPT',
  ]);
  await mergeStudies([...shards].reverse(), out);
  return out;
}

t.test('shards, in any order, one missing at first', async (t) => {
  t.strictSame(bytesOf(await sharded(t, file, 'shard', 3)), expected);

  t.test('more shards than sweeps', async (t) => {
    const few = join(dir, 'study', 'few.yaml');
    writeFileSync(few, FILE.replace(/ {2}noisy.*\n/, '').replace(/ {2}- \{ id: m[2-5].*\n/g, ''));
    const one = join(dir, 'few-one');
    t.strictSame(await runStudy(await readStudy(few), { out: one }), []);
    await writeStudyResults(one);
    const merged = await sharded(t, few, 'few', 3);
    t.ok(readdirSync(join(dir, 'few-1', 'm1', 'clean')).some((name) => /^part-\d-of-3$/.test(name)));
    for (const name of [...names, 'm1/clean/summary.json', 'trained/clean/draws.csv']) {
      t.equal(hashOf(join(merged, name)), hashOf(join(one, name)), name);
    }
  });
});

t.test('as events, one a line', async (t) => {
  const out = join(dir, 'events');
  const few = join(dir, 'study', 'events.yaml');
  const two = FILE.replace(/ {2}noisy.*\n/, '').replace(/ {2}- \{ id: m[2-5].*\n/g, '');
  writeFileSync(few, two.replace('imagesPerDraw: 8', 'tolerance: 50').replace('m1.onnx', 'none.onnx'));
  const { code, stdout, stderr } = await critmap('study', few, '--out', out, '--json');
  t.equal(code, 1);
  t.match(stderr, /^critmap: 1 of 2 sweeps failed: m1\/clean: .*\n$/);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => studyEventSchema.parse(JSON.parse(line)));
  const of = <Name extends StudyLine['event']>(name: Name) =>
    lines.filter((line) => line.event === name) as Extract<StudyLine, { event: Name }>[];
  t.match(lines[0], { event: 'started', sweeps: ['trained/clean', 'm1/clean'] });
  t.strictSame(
    of('sweep')
      .filter(({ sweep }) => sweep === 'trained/clean')
      .map(({ state }) => state),
    ['opening', 'opened', 'started', 'done'],
  );
  t.strictSame(
    of('stopped')
      .map(({ layer }) => layer)
      .sort(),
    ['conv1', 'fc', 'layer3.0.conv1'],
  );
  t.match(of('failure'), [{ sweep: 'm1/clean', code: 'ERR_MODEL' }]);
  t.match(lines.at(-1), {
    event: 'done',
    results: join(out, 'study.json'),
    failures: [{ sweep: 'm1/clean' }],
  });
});

t.test('a queue', { skip: lacksRedis }, async (t) => {
  const redis = await startRedis(t, join(dir, 'redis'));
  const folder = join(dir, 'study');
  const at = ['--redis', redis.url];
  const workers = [1, 2].map(() =>
    start('worker', ...at, '--models', folder, '--data', folder, '--threads', '1'),
  );
  t.teardown(() => workers.map((worker) => worker.kill('SIGTERM')));
  for (const worker of workers) for (const out of [worker.stdout, worker.stderr]) out?.resume();
  const out = join(dir, 'queued');
  const { code, stderr } = await critmap('study', file, '--out', out, '--queue', ...at);
  t.equal(code, 0, stderr);
  t.strictSame(bytesOf(out), expected);
  t.strictSame(await redis.client.keys('critmap:*'), []);
});

t.test('one that fails keeps no other from its turn, and is tried again', async (t) => {
  const folder = join(dir, 'study');
  const bytes = readFileSync(join(folder, 'm1.onnx'));
  truncateSync(join(folder, 'm1.onnx'), 1000);
  const out = join(dir, 'mended');
  const failed = await critmap('study', file, '--out', out, '--quiet');
  t.equal(failed.code, 1);
  t.match(
    failed.stderr,
    /critmap: 2 of 12 sweeps failed: m1\/clean, m1\/noisy: .*m1\.onnx.*\. Once that is mended, repeat the command/,
  );
  t.match(failed.stdout, /note: m1\/noisy is lacking/);
  writeFileSync(join(folder, 'm1.onnx'), bytes);
  const mended = await critmap('study', file, '--out', out);
  t.equal(mended.code, 0, mended.stderr);
  t.match(mended.stderr, /trained\/clean is there already/);
  t.strictSame(bytesOf(out), expected);

  t.test('a file that was changed is noticed', async (t) => {
    const later = new Date(Date.now() + 5000);
    utimesSync(join(folder, 'm2.onnx'), later, later);
    const touched = await critmap('study', file, '--out', out);
    t.match(touched.stderr, /m2\/clean started/, 'and found to be the same');
    writeFileSync(join(folder, 'm2.onnx'), bytes);
    const other = await critmap('study', file, '--out', out, '--quiet');
    t.equal(other.code, 1);
    t.match(other.stderr, /2 of 12 sweeps failed: m2\/clean: .*(sha256|another)/);
  });
});

t.test('tidy results: JSON, CSV and Parquet say the same', async (t) => {
  const rows = results.rows.filter(({ metric }) => metric === 'criticality');
  t.equal(rows.length, 6 * 2 * 3);
  const csv = Papa.parse<Record<string, string>>(readFileSync(join(whole, 'study.csv'), 'utf8'), {
    header: true,
    skipEmptyLines: true,
  }).data;
  const bytes = readFileSync(join(whole, 'study.parquet'));
  const parquet = await parquetReadObjects({
    file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
  });
  t.equal(csv.length, results.rows.length);
  t.equal(parquet.length, results.rows.length);
  for (const [i, row] of results.rows.entries()) {
    const model = results.models.find(({ id }) => id === row.model)!;
    const text = (value: unknown) => (value === null ? '' : String(value));
    const all = { ...row, name: model.name, accuracy: model.accuracy, ...model.attributes };
    for (const [name, value] of Object.entries(all)) {
      if (csv[i]![name] !== text(value)) t.fail(`${name} of row ${i} in CSV: ${csv[i]![name]}, ${value}`);
      const stored: unknown = parquet[i]![name];
      const number = typeof stored === 'bigint' ? Number(stored) : stored;
      if (number !== value) t.fail(`${name} of row ${i} in Parquet: ${parquet[i]![name]}`);
    }
  }
  t.type(parquet[0]!.parameters, 'bigint', 'an integer');
  t.equal(results.models[0]!.accuracy, 94, "the file's");
  t.ok(results.models[1]!.accuracy! > 10, 'measured where the file does not say');
});

t.test('as a cube for scripts', async (t) => {
  const read = await readStudyResults(whole);
  const cube = read.cube('criticality', { value: 'high' });
  t.strictSame(cube.shape, [6, 3, 2]);
  t.strictSame(read.layers, ['conv1', 'layer3.0.conv1', 'fc']);
  const row = results.rows.find(
    (one) =>
      one.model === 'm4' && one.layer === 'fc' && one.imageSet === 'noisy' && one.metric === 'criticality',
  );
  t.equal(cube.get(4, 2, 1), row!.high);
  t.throws(() => read.cube('none'), RangeError);
  await t.rejects(readStudyResults(dir), { code: 'ERR_STUDY', message: /study\.json does not exist/ });
});

t.test(
  'of several resets the one that was asked for first is shown, though no first layer has it',
  async (t) => {
    const path = join(dir, 'study', 'resets.yaml');
    const two = FILE.replace('{ images: all,', '{ images: 16, group: block, reset: [skip, random],')
      .replace('layers: [conv1, layer3.0.conv1, fc]', "layers: [conv1, 'layer3.1.*']")
      .replace(/\n {2}noisy: .*/, '')
      .replace(/\n {2}- \{ id: m[2-5], .*/g, '')
      .replace(/\ncategories: .*/, '');
    writeFileSync(path, two);
    const out = join(dir, 'resets');
    const { code, stdout, stderr } = await critmap('study', path, '--out', out);
    t.equal(code, 0, stderr);
    t.match(stdout, /mean criticality over layers, percent \(reset skip\)/);
    const read = await readStudyResults(out);
    t.equal(read.rows[0]!.reset, 'random');
    t.strictSame(read.resets, ['skip', 'random']);
    const row = read.rows.find(({ layer, reset }) => layer === 'layer3.1' && reset === 'skip')!;
    t.equal(read.cube('criticality').get(0, read.layers.indexOf('layer3.1'), 0), row.mean);
    t.throws(() => read.cube('criticality', { reset: 'zero' }), {
      message: /under the reset zero; .*, and skip, random$/,
    });
    const shown = await critmap('report', join(out, 'trained', 'clean'));
    t.match(shown.stdout, /\nprofile {2}\S\n/, 'the profile is of the one block that can be skipped');
  },
);

t.test('differences are those of the runs, paired by slice', async (t) => {
  const runsOf = (set: string) => study.models.map(({ id }) => join(whole, id, set));
  const direct = await compareRuns(runsOf('noisy'), { baseline: 'trained' });
  const own = results.differences.filter(({ imageSet }) => imageSet === 'noisy');
  t.equal(own.length, 5 * 3);
  for (const [i, { imageSet: _, ...row }] of own.entries()) {
    const { category: __, ...other } = direct.differences[i]!;
    t.strictSame(row, other);
    t.equal(row.test, 'paired');
  }
  const listed = await compareRuns([whole], { imageSet: 'noisy' });
  t.strictSame(
    listed.differences.map(({ category: _, ...row }) => row),
    direct.differences.map(({ category: _, ...row }) => row),
  );
  t.equal(listed.baseline, 'trained');
  t.ok(listed.correlations.some(({ attribute }) => attribute === 'share'));

  const between = results.imageSetDifferences.filter(({ model }) => model === 'm2');
  t.equal(between.length, 3);
  t.match(between[0], {
    imageSet: 'noisy',
    otherSet: 'clean',
    test: 'paired',
    sameDraws: true,
    sameImages: false,
  });
  const alike = await compareRuns(['clean', 'noisy'].map((set) => join(whole, 'm2', set)));
  t.equal(alike.baseline, 'clean', 'runs of one model go by their folders');
  t.strictSame(
    alike.differences.map(({ difference, p }) => [difference, p]),
    between.map(({ difference, p }) => [difference, p]),
  );
  // By hand, from the draws of both runs.
  const draws = (set: string) =>
    Papa.parse<Record<string, string>>(readFileSync(join(whole, 'm2', set, 'draws.csv'), 'utf8'), {
      header: true,
    }).data.filter(({ layer }) => layer === 'fc');
  const [clean, noisy] = [draws('clean'), draws('noisy')];
  const gaps = clean.map((row, i) => 100 * (Number(row.cosine) - Number(noisy[i]!.cosine)));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const sd = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / (gaps.length - 1));
  const row = between.find(({ layer }) => layer === 'fc')!;
  // Student's t of 11 degrees of freedom, 97.5 %.
  const half = (2.200985 * sd) / Math.sqrt(gaps.length);
  t.equal(gaps.length, 12);
  t.ok(Math.abs(row.difference! - mean) < 1e-6, `${row.difference} ${mean}`);
  t.ok(Math.abs(row.high! - row.low! - 2 * half) < 1e-4, `${row.low} ${row.high} ${half}`);
});

t.test('it is shown in the terminal as a map, and picked from', async (t) => {
  const map = await critmap('report', whole);
  t.equal(map.code, 0, map.stderr);
  const rows = map.stdout.split('\n');
  t.match(rows[0], /^Between trained and fresh: clean$/);
  t.match(rows[1], /^ +top-1 +mean/);
  t.match(rows[2], /^trained +whole +94\.0 +[\d.]+ {2}[▁-█]{9}$/);
  t.match(rows[7], /^m5 +other /);
  t.match(rows[10], /^Between trained and fresh: noisy$/);

  const words = ['pick', whole, '--above', '0', '--format', 'regex'];
  const picked = await critmap(...words, '--model', 'm1', '--image-set', 'noisy');
  t.match(picked.stdout, /^\^\(\?:conv1\|/, picked.stderr);
  t.match((await critmap(...words)).stderr, /is a study: say which with --model; it has trained, m1/);
  t.match((await critmap(...words, '--model', 'x')).stderr, /has no --model x; it has trained/);
});

t.test('pandas, polars and R read it as the documentation says', async (t) => {
  const folder = t.testdir({ studies: {} });
  symlinkSync(whole, join(folder, 'studies', 'mine'));
  const conv1 = results.rows.find(
    (row) => row.model === 'm1' && row.imageSet === 'clean' && row.metric === 'criticality',
  )!.mean!;
  const mean = results.models[1]!.runs.clean!.criticality.random!;
  const farthest = Math.min(...results.differences.map(({ difference }) => difference!));
  // Printed with one decimal or more.
  const shows = (text: string, value: number) =>
    [...text.matchAll(/-?\d+(\.\d+)?/g)].some(([number]) => Math.abs(Number(number) - value) <= 0.051);
  for (const [page, language, command] of [
    ['python.md', 'python', ['python3', '-c']],
    ['r.md', 'r', ['Rscript', '--vanilla', '-e']],
  ] as const) {
    const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
    const snippets = [...text.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, name]) => name === language);
    t.ok(snippets.length >= 3, page);
    for (const [i, [, , code]] of snippets.entries()) {
      const [program, ...options] = command;
      const { error, status, stdout, stderr } = spawnSync(program, [...options, code!], {
        cwd: folder,
        encoding: 'utf8',
      });
      const name = `${page} ${i + 1}`;
      const lacks = error
        ? `no ${program}`
        : /No module named \S+|Unable to find a usable engine|no package called \S+/.exec(stderr)?.[0];
      if (lacks) {
        t.test(name, { skip: lacks }, async () => {});
        continue;
      }
      t.equal(status, 0, `${name}: ${stderr}`);
      const value = code!.includes('difference') ? farthest : code!.includes('first') ? conv1 : mean;
      t.ok(shows(stdout, value), `${name} shows ${value}: ${stdout}`);
    }
  }
});

t.test('as figures, with its categories, colours and sets of images', async (t) => {
  const data = await figureData([whole]);
  t.match(data.categories, [{ id: 'whole' }, { id: 'mixed' }, { id: 'other', color: '#1b9e77' }]);
  t.equal(data.baseline, 'trained');
  const found = statisticsOf(data);
  for (const { model, layer, mean, low, high } of found.cells) {
    const row = results.rows.find(
      (one) =>
        one.model === model &&
        one.layer === layer &&
        one.imageSet === 'clean' &&
        one.metric === 'criticality',
    );
    t.match(row, { mean, low, high }, `${model} ${layer}`);
  }
  for (const { model, layer, pHolm, pBh } of found.differences) {
    const row = results.differences.find(
      (one) => one.model === model && one.layer === layer && one.imageSet === 'clean',
    );
    t.match(row, { pHolm, pBh }, `${model} ${layer} has one p-value`);
  }
  const [sets] = found.imageSets;
  t.match(sets, { imageSet: 'noisy', otherSet: 'clean', n: 18 });
  const own = results.imageSetDifferences.map(({ difference }) => difference!);
  const mean = own.reduce((sum, one) => sum + one, 0) / own.length;
  t.ok(Math.abs(sets!.meanDifference - mean) < 1e-6, 'the mean of the differences layer by layer');
  t.strictSame(
    drawingsOf(data).map(({ id }) => id),
    [
      'map',
      'difference',
      'spread',
      'interval-width',
      'accuracy',
      'attribute-share',
      'stages',
      'profile-trained',
    ].concat(['image-sets', 'metrics']),
  );
  const other = await figureData([whole], { imageSet: 'noisy', exclude: ['m5'] });
  t.same([other.models.length, other.imageSets.map(({ id }) => id)], [5, ['noisy', 'clean']]);
});

t.test('another study does not mix with it', async (t) => {
  const other = join(dir, 'study', 'other.yaml');
  writeFileSync(other, FILE.replace('imagesPerDraw: 8', 'imagesPerDraw: 4'));
  const { code, stderr } = await critmap('study', other, '--out', whole, '--quiet');
  t.equal(code, 1);
  t.match(stderr, /12 of 12 sweeps failed: m1\/clean: .*imagesPerDraw/);
  await t.rejects(mergeStudies([whole, join(dir, 'study')], join(dir, 'x')), { code: 'ERR_STUDY' });
});
