/** Which runs a study counts, which directories it takes, and what its parts share. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { mergeStudies } from '../../src/study/merge-study.js';
import { Pools } from '../../src/study/pools.js';
import { readStudy } from '../../src/study/read-study.js';
import { collectResults } from '../../src/study/results.js';
import { runStudy } from '../../src/study/run-study.js';
import { example } from '../fixtures.js';

const dir = t.testdir({ old: { 'thesis.tex': 'x' } });
const at = (...names: string[]) => join(dir, ...names);
const FILE = `
defaults: { images: 16, layers: fc }
data: { a: ${example('images.npz')} }
models:
  - { id: one, model: ${example('resnet.onnx')} }
  - { id: two, model: two.onnx }
`;
cpSync(example('resnet-init.onnx'), at('two.onnx'));
const asked = (name: string, text = FILE) => {
  writeFileSync(at(name), text);
  return readStudy(at(name));
};
const study = await asked('study.yaml');
const out = at('out');
t.strictSame(await runStudy(study, { out }), []);
const copy = (name: string) => {
  cpSync(out, at(name), { recursive: true });
  return at(name);
};
const modelsIn = ({ rows }: { rows: { model: string }[] }) => [...new Set(rows.map(({ model }) => model))];

t.test(
  'a run that was stopped, is of other options, or is damaged does not count, and is named',
  async (t) => {
    t.strictSame(modelsIn(await collectResults(out)), ['one', 'two']);
    const change = (place: string, from: RegExp, to: string) =>
      writeFileSync(place, readFileSync(place, 'utf8').replace(from, to));
    const stopped = copy('stopped');
    change(join(stopped, 'two', 'a', 'run.json'), /"status": ?"done"/, '"status":"interrupted"');
    const damaged = copy('damaged');
    writeFileSync(join(damaged, 'two', 'a', 'summary.json'), '{');
    const other = copy('other');
    change(join(other, 'study-plan.json'), /"two\/a": "\w+"/, '"two/a": "0"');
    const bare = copy('bare');
    rmSync(join(bare, 'two', 'a', 'study-entry.json'));
    for (const [place, note] of [
      [stopped, /^two\/a is left out: it is interrupted$/],
      [damaged, /^two\/a is left out: .*summary\.json/],
      [other, /^two\/a is left out: it was swept with other options/],
      [bare, /^two\/a is lacking$/],
    ] as const) {
      const results = await collectResults(place);
      t.strictSame(modelsIn(results), ['one'], place);
      t.match(results.notes[0], note);
      t.equal(results.models[1]!.runs.a, null);
    }
  },
);

t.test('what cannot be swept any more does not count either', async (t) => {
  const place = copy('gone');
  const gone = await asked('study.yaml', FILE.replace('two.onnx', 'three.onnx'));
  t.match(await runStudy(gone, { out: place }), [{ place: 'two/a', code: 'ERR_MODEL' }]);
  t.strictSame(modelsIn(await collectResults(place)), ['one']);
  // Of the same name, and another model.
  cpSync(example('resnet.onnx'), at('two.onnx'));
  t.match(await runStudy(study, { out: place }), [{ place: 'two/a', code: 'ERR_RUN' }]);
  t.strictSame(modelsIn(await collectResults(place)), ['one']);
  cpSync(example('resnet-init.onnx'), at('two.onnx'));
  t.strictSame(await runStudy(study, { out: place }), []);
  t.strictSame(modelsIn(await collectResults(place)), ['one', 'two'], 'when it is back nothing is lost');
});

t.test('runs of other options are said to be so, and count again once they are asked for', async (t) => {
  const place = at('changed');
  t.strictSame(await runStudy(study, { out: place }), []);
  const changed = await asked('study.yaml', FILE.replace('images: 16', 'images: 8'));
  const failures = await runStudy(changed, { out: place });
  t.strictSame(
    failures.map(({ code }) => code),
    ['ERR_RUN', 'ERR_RUN'],
  );
  t.match(failures[0]!.message, /holds another run/);
  t.match((await collectResults(place)).notes, [
    /^one\/a is left out: it was swept with other options/,
    /^two\/a is left out: it was swept with other options/,
  ]);
  const events: string[] = [];
  await runStudy(study, { out: place, onEvent: ({ type }) => events.push(type) });
  t.strictSame(events, ['skipped', 'skipped'], 'nothing is opened');
  t.strictSame(modelsIn(await collectResults(place)), ['one', 'two']);
});

t.test('directories of others are left alone', async (t) => {
  const plan = readFileSync(join(out, 'study-plan.json'), 'utf8');
  await t.rejects(runStudy(study, { out: at('old') }), {
    code: 'ERR_STUDY',
    message: /old already holds other files \(thesis\.tex\)/,
  });
  await t.rejects(runStudy(await asked('else.yaml'), { out }), {
    code: 'ERR_STUDY',
    message: /out holds another study, "study"/,
  });
  t.equal(readFileSync(join(out, 'study-plan.json'), 'utf8'), plan);
});

t.test('shards of other options do not mix, and no plan leads elsewhere', async (t) => {
  const shard = (index: number) => ({ index, of: 2 });
  await runStudy(study, { out: at('s1'), shard: shard(1) });
  const changed = await asked('study.yaml', FILE.replace('images: 16', 'images: 16, seed: 9'));
  await runStudy(changed, { out: at('s2'), shard: shard(2) });
  await t.rejects(mergeStudies([at('s1'), at('s2')], at('merged')), {
    code: 'ERR_STUDY',
    message: /s2 is of another study than .*s1/,
  });
  mkdirSync(at('evil'));
  const evil = readFileSync(join(out, 'study-plan.json'), 'utf8').replace('"id": "one"', '"id": "../one"');
  writeFileSync(at('evil', 'study-plan.json'), evil);
  await t.rejects(mergeStudies([at('evil')], at('merged')), { code: 'ERR_STUDY', message: /is damaged/ });
  const absent = await asked('study.yaml', FILE.replace('two.onnx', 'none.onnx'));
  await t.rejects(runStudy(absent, { out: at('s3'), shard: shard(1) }), {
    code: 'ERR_STUDY',
    message: /shards are dealt out by what models cost, and two .*none\.onnx\) cannot be opened/,
  });
});

t.test('numbers may be from the environment', async (t) => {
  const text = FILE.replace('{ images: 16, layers: fc }', `\n  images: \${N}\n  layers: fc`);
  writeFileSync(at('env.yaml'), text);
  const { sweeps } = await readStudy(at('env.yaml'), { env: { N: '12' } });
  t.equal(sweeps[0]!.words.imageChoices.images, 12);
});

t.test('images are closed when nobody uses them, and only then', async (t) => {
  const pools = new Pools();
  const open = (count: number) =>
    pools.openers.images(`synthetic:${count}`, {
      shape: { channels: 1, height: 4, width: 4 },
      images: count,
    });
  const read = (set: Awaited<ReturnType<typeof open>>) => set.read(0, 1, new Float32Array(16));
  const [first, again] = [await open(1), await open(1)];
  t.equal(first, again);
  const others = await Promise.all(Array.from({ length: 12 }, (_, i) => open(i + 2)));
  await Promise.all([first, ...others].map((set) => pools.release(set)));
  await sleep(0);
  await t.resolves(read(again), 'one user is left');
  await t.rejects(read(others[0]!), /closed/, 'of those that are idle the longest goes');
  await t.resolves(read(others.at(-1)!));
  await pools.close();
  await t.rejects(read(again), /closed/);
});
