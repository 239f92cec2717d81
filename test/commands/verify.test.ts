import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { example, fixture } from '../fixtures.js';
import { reseal } from '../run/resealed.js';
import { critmap } from './critmap.js';

const layers = ['--layers', 'conv1,layer3.2.conv2', '--images', '40', '--quiet'];
const sweep = (out: string, ...more: string[]) =>
  critmap('sweep', example('resnet.onnx'), '--data', example('images.npz'), ...layers, '--out', out, ...more);

t.test('what a run says is what the published algorithm gives, whatever its design', async (t) => {
  const dir = t.testdir({});
  const designs = [[], ['--reset', 'zero'], ['--images-per-draw', '16', '--trials', '2']];
  for (const more of [...designs, ['--group', 'cumulative-from-input', '--parts', 'weight']]) {
    const out = join(dir, more.join('') || 'default');
    t.equal((await sweep(out, ...more)).code, 0);
    const { code, stdout } = await critmap('verify', out, '--cells', '4', '--json');
    t.equal(code, 0, stdout);
    const { draws, largest, isSame } = JSON.parse(stdout);
    t.equal(isSame, true);
    t.ok(draws.length >= 2);
    t.ok(largest.cosine < 1e-5, `${largest.cosine}`);
  }
});

t.test('numbers that are not those of the draw are found, with exit code 1', async (t) => {
  const out = join(t.testdir({}), 'run');
  await sweep(out);
  // The number after the agreement is the sum of cosines.
  reseal(out, (text) => text.replaceAll(/(\[\d+,0,[\d.]+,8,0,\d+,)[\d.]+/g, '$11.5'));
  const { code, stdout } = await critmap('verify', out, '--cells', '3');
  t.equal(code, 1);
  t.match(stdout, /3 differ: conv1 draw|3 differ: layer3/);
});

t.test('another model, and images that are not the run’s, are refused in one line', async (t) => {
  const dir = t.testdir({});
  const out = join(dir, 'run');
  const model = join(dir, 'model.onnx');
  copyFileSync(example('resnet.onnx'), model);
  await critmap('sweep', model, '--data', example('images.npz'), ...layers, '--out', out);
  copyFileSync(example('resnet-init.onnx'), model);
  t.match(await critmap('verify', out), {
    code: 1,
    stderr: /model\.onnx is not the model of the run any more/,
  });
  const moved = ['--model', example('resnet.onnx')];
  t.equal((await critmap('verify', out, '--cells', '1', ...moved)).code, 0);
  const other = await critmap('verify', out, ...moved, '--data', 'synthetic:40');
  t.match(other, { code: 1, stderr: /does not have the images and labels of the run/ });
  t.match(await critmap('verify', fixture('images')), { code: 1, stderr: /is not a finished critmap run/ });
});

t.test(
  'draws of fresh models, labels from a table and images that were left out are found again',
  async (t) => {
    const dir = t.testdir({ images: {}, 'labels.csv': '' });
    const models = ['resnet.onnx', 'resnet-init.onnx'].map((name) => join(dir, name));
    for (const path of models) copyFileSync(example(path.slice(dir.length + 1)), path);
    // The trained network's own weights would change nothing: one that starts elsewhere is the only draw.
    const fresh = await sweep(join(dir, 'fresh'), '--init-from', models[1]!);
    t.equal(fresh.code, 0, fresh.stderr);
    const held = await critmap('verify', join(dir, 'fresh'), '--cells', '3');
    t.equal(held.code, 0, held.stderr);
    copyFileSync(models[0]!, models[1]!);
    t.match(await critmap('verify', join(dir, 'fresh'), '--cells', '3'), {
      code: 1,
      stderr: /resnet-init\.onnx \(--init-from\) is not that of the run any more/,
    });

    for (let i = 0; i < 6; i++) {
      const pixels = Buffer.alloc(28 * 28, 40 * i);
      await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(
        join(dir, 'images', `${i}.png`),
      );
    }
    writeFileSync(join(dir, 'images', 'broken.png'), 'no image');
    const rows = ['0', '1', '2', '3', '4', '5', 'broken'].map((name, i) => `${name}.png,${i % 3},${i % 5}`);
    writeFileSync(join(dir, 'labels.csv'), `file,coarse,fine\n${rows.join('\n')}\n`);
    const labels = ['--labels', join(dir, 'labels.csv'), '--label-columns', 'file,fine'];
    const table = await critmap(
      ...['sweep', example('resnet.onnx'), '--data', join(dir, 'images'), '--images', 'all', '--quiet'],
      ...[...labels, '--skip-bad-images', '--layers', 'fc', '--cache', 'off', '--out', join(dir, 'table')],
    );
    t.equal(table.code, 0, table.stderr);
    const again = await critmap('verify', join(dir, 'table'), '--cells', '1', ...labels);
    t.equal(again.code, 0, again.stderr);
    t.match(await critmap('verify', join(dir, 'table'), '--cells', '1', '--labels', 'none'), {
      code: 1,
      stderr: /does not have the images and labels of the run \(labels, now none\)/,
    });
  },
);

t.test('a run without labels is verified without, though its folder has classes', async (t) => {
  const dir = t.testdir({ photos: { cats: {}, dogs: {} } });
  for (const [i, name] of ['cats/a.png', 'dogs/b.png'].entries()) {
    const pixels = Buffer.alloc(28 * 28, 90 * (i + 1));
    const raw = { width: 28, height: 28, channels: 1 } as const;
    await sharp(pixels, { raw }).toFile(join(dir, 'photos', name));
  }
  const out = join(dir, 'run');
  const options = ['--labels', 'none', '--layers', 'fc', '--cache', 'off', '--quiet', '--out', out];
  const run = await critmap('sweep', example('resnet.onnx'), '--data', join(dir, 'photos'), ...options);
  t.equal(run.code, 0, run.stderr);
  const { code, stderr } = await critmap('verify', out, '--cells', '1');
  t.equal(code, 0, stderr);
});
