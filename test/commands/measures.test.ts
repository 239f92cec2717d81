/** Module criticality and predictors from the command line, on the same run's layers. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { example, fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

const dir = t.testdir({});
const model = example('resnet.onnx');
const donor = ['--donor', example('resnet-init.onnx')];
const data = ['--data', example('images.npz'), '--images', '24'];
const out = join(dir, 'modules');
const grid = ['--layers', 'conv1,fc', '--alphas', '0,1', '--sigmas', '0.001,0.05'];
const modules = (...more: string[]) =>
  critmap('module-criticality', model, ...donor, ...data, '--out', out, ...grid, '--quiet', ...more);

t.test('module criticality is a table, files, and a run that can be verified', async (t) => {
  const { code, stdout, stderr } = await modules();
  t.equal(code, 0, stderr);
  t.match(stdout, /^resnet, from .*resnet-init\.onnx: 24 images, 3 draws of the noise, up to [\d.]+ % error/);
  t.match(stdout, /\nmodule +‖θᶠ−θ⁰‖ +α +σ +% error +criticality\nconv1 +2\.628 /);
  t.match(stdout, /\nnetwork criticality [\d.]+, the sum over 2 modules\n/);
  const result = JSON.parse(readFileSync(join(out, 'module-criticality.json'), 'utf8'));
  const again = await modules('--json');
  t.same(JSON.parse(again.stdout), result, 'gone on with, and as JSON');
  t.match(await critmap('verify', out, '--cells', '4'), { code: 0, stdout: /They are the same/ });
  const wide = await critmap(
    ...['module-criticality', model, ...donor, ...data, '--out', out, '--layers', 'conv1,fc'],
    ...['--alphas', '1', '--sigmas', '1', '--force', '--quiet'],
  );
  t.match(wide.stdout, /no sum: 2 of 2 modules fit nowhere on the grid; add smaller --sigmas\n/);
  const other = await critmap(
    ...['module-criticality', model, ...donor, ...data, '--out', out, '--layers', 'conv1,fc'],
    ...['--alphas', '0', '--quiet'],
  );
  const file = donor[1]!.replaceAll('.', '\\.');
  t.match(
    other.stderr,
    new RegExp(
      `holds another run \\(the grid is another one: 1 point \\(interpolate=${file}@1~1\\), now 13 points \\(interpolate=${file}@0~0\\.0001 to interpolate=${file}@0~1\\)\\);`,
    ),
  );
});

t.test('predictors stand beside the criticality of a run', async (t) => {
  const run = join(dir, 'run');
  const swept = await critmap(
    'sweep',
    model,
    ...data,
    '--layers',
    'conv1,layer3.2*,fc',
    '--out',
    run,
    '--quiet',
  );
  t.equal(swept.code, 0, swept.stderr);
  const files = join(dir, 'predictors');
  const found = await critmap('predictors', model, '--run', run, ...donor, ...data, '--out', files);
  t.equal(found.code, 0, found.stderr);
  t.match(
    found.stdout,
    /^layer +block influence +relative change +stable rank .*criticality, %\nconv1 +– +1\.39 /,
  );
  t.match(
    found.stdout,
    /\nwith criticality \(random\), over rows:\npredictor +rows +Spearman +95 % interval +p\n/,
  );
  t.match(found.stdout, /\nstable rank +4 +−?[\d.]+ +(−?[\d.]+ to −?[\d.]+|–) +[\d.]+\n/);
  t.notMatch(found.stdout, /for relative change|for block influence/);
  const bare = await critmap('predictors', model, '--run', run);
  t.match(
    bare.stdout,
    /\nfor block influence give images, --data SRC; for relative change the weights .*, --donor FILE\n/,
  );
  t.ok(existsSync(join(files, 'predictors.csv')) && existsSync(join(files, 'predictors.json')));
});

t.test('what is asked for wrongly is one line', async (t) => {
  const refused = async (words: string[], code: number, message: RegExp) => {
    const found = await critmap(...words);
    t.equal(found.code, code, found.stderr);
    t.match(found.stderr, message);
    t.equal(found.stderr.trimEnd().split('\n').length, 1);
  };
  const other = ['module-criticality', model, ...data, '--out', join(dir, 'other'), '--quiet'];
  await refused(
    [...other, ...donor, '--alphas', '0,2'],
    2,
    /--alphas "0,2" is not a list of different numbers from 0 to 1/,
  );
  await refused(
    [...other, ...donor, '--labels', 'none', '--criterion', 'loss'],
    2,
    /--criterion loss needs labels/,
  );
  await refused(
    [...other, '--donor', fixture('vit.onnx')],
    1,
    /vit\.onnx does not fit conv1: it has no weight/,
  );
  await refused([...other, '--donor', 'none.pth'], 1, /none\.pth/);
  await refused(['predictors', model, '--images', '3'], 2, /--images goes with --data SRC/);
  await refused(
    ['predictors', model, '--reset', 'zero'],
    2,
    /--reset says which of a run; give --run DIR too/,
  );
  await refused(['predictors', model, '--run', dir], 1, /is not a finished critmap run/);
  t.notOk(existsSync(join(dir, 'other')), 'nothing was begun');
});
