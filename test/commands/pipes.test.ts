/** What is not a regular file is refused wherever a file is asked for: opening a named pipe would wait for ever. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import t from 'tap';
import { loadModel, modelInput, openImages, readRun } from '../../src/index.js';
import { withWeights } from '../../src/model/load.js';
import { leftOut } from '../../src/onnx/apart.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { parseResets } from '../../src/resets/parse.js';
import { readJournal } from '../../src/run/journal.js';
import { files, openRun } from '../../src/run/run.js';
import { fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

const skip = process.platform === 'win32' ? 'Windows has no named pipes' : false;
const model = await loadModel(fixture('mlp.onnx'));
const options = { ...modelInput(model), images: 2 };

/** A pipe of that name, to which nobody writes. */
function pipe(...parts: string[]): string {
  const path = join(...parts);
  spawnSync('mkfifo', [path]);
  return path;
}

/** A model whose first tensor lies in the file `location`. */
function external(path: string, location: string): string {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('mlp.onnx')));
  const [first, ...rest] = proto.graph!.initializer;
  proto.graph!.initializer = [leftOut(first!, location), ...rest];
  writeFileSync(path, toBinary(ModelSchema, proto));
  return path;
}

t.test('pipes are refused, not waited for', { skip }, async (t) => {
  const dir = t.testdir({ photos: {}, tars: {}, run: {}, journal: { [files.journal]: '' } });
  pipe(dir, 'data.bin');
  pipe(dir, 'photos', 'a.jpg');
  pipe(dir, 'photos', 'b.png');
  const identity = {
    model: { name: 'm', sha256: 'aa', layers: 3 },
    data: { source: 's', images: 1, fingerprint: 'b', transform: {} },
    options: {},
  };
  const cases: [string, () => Promise<unknown>, RegExp][] = [
    ['a model', () => loadModel(pipe(dir, 'model.onnx')), /model\.onnx: is not a regular file/],
    [
      'external data',
      () => loadModel(external(join(dir, 'apart.onnx'), 'data.bin')),
      /data\.bin, which is not a regular file/,
    ],
    ['a checkpoint', () => withWeights(model, [pipe(dir, 'w.pth')]), /w\.pth: is not a regular file/],
    [
      'a donor',
      () => parseResets([`donor=${pipe(dir, 'donor.pth')}`], model),
      /donor\.pth: is not a regular file/,
    ],
    [
      'labels as text',
      () => openImages('synthetic:2', { ...options, labels: pipe(dir, 'labels.txt') }),
      /labels\.txt: is not a file/,
    ],
    ['an array', () => openImages(pipe(dir, 'x.npy'), options), /x\.npy/],
    ['a zip of arrays', () => openImages(pipe(dir, 'x.npz'), options), /x\.npz/],
    ['a shard', () => openImages(pipe(dir, 'tars', 'a.tar'), options), /a\.tar/],
    ['a Parquet file', () => openImages(pipe(dir, 'a.parquet'), options), /a\.parquet/],
    ['images', () => openImages(join(dir, 'photos'), options), /photos/],
    [
      'run.json',
      () => {
        pipe(dir, 'run', files.info);
        return readRun(join(dir, 'run'));
      },
      /cannot read .*run\.json/,
    ],
    ['a run to go on with', () => openRun(join(dir, 'run'), identity), /cannot read .*run\.json/],
    [
      'a journal that is read',
      () => readJournal(pipe(dir, 'cells.ndjson'), null),
      /cells\.ndjson is a named pipe/,
    ],
    [
      'a journal to go on with',
      () => {
        mkdirSync(join(dir, 'begun'));
        pipe(dir, 'begun', files.journal);
        return openRun(join(dir, 'begun'), identity);
      },
      /cannot write/,
    ],
  ];
  for (const [what, open, message] of cases) {
    const late = new Promise((_, reject) => setTimeout(reject, 20_000, new Error('it waits')).unref());
    await t.rejects(Promise.race([open(), late]), { message }, what);
  }
});

t.test('so are devices and sockets, and a command ends with one line', { skip }, async (t) => {
  await t.rejects(loadModel('/dev/zero'), { code: 'ERR_MODEL', message: /is not a regular file/ });
  await t.rejects(loadModel('/dev'), { code: 'ERR_MODEL', message: /is a folder without config\.json/ });
  const path = pipe(t.testdir({}), 'model.onnx');
  const { code, stderr } = await critmap('inspect', path);
  t.equal(code, 1);
  t.match(stderr, /^critmap: cannot read the model .*save it to disk first\n$/);
});
