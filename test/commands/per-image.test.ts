/** Files of images and classes from the command line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { example } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';
import { critmap } from './critmap.js';

t.test('--per-image alone writes cosines, --per-class names the classes of folders', async (t) => {
  const gray = (level: number) =>
    sharp({ create: { width: 28, height: 28, channels: 3, background: { r: level, g: level, b: level } } })
      .png()
      .toBuffer() as unknown as Promise<string>;
  const dir = t.testdir({
    data: {
      boot: { '1.png': await gray(10), '2.png': await gray(90) },
      'coat, long': { '3.png': await gray(200) },
    },
  });
  const out = join(dir, 'run');
  const few = ['--images', 'all', '--layers', 'fc', '--reset', 'zero', '--quiet', '--out', out];
  const model = example('resnet.onnx');
  const data = ['--data', join(dir, 'data')];
  const { code, stderr } = await critmap('sweep', model, ...data, ...few, '--per-image', '--per-class');
  t.equal(code, 0, stderr);
  const read = (name: string) => readFileSync(join(out, name), 'utf8').trimEnd().split('\n');
  t.strictSame(read('per-image/index.csv'), [
    'layer,reset,metric,file,draws,images,stopped_at',
    'fc,zero,cosine,cosine/0-fc.npy,1,3,',
  ]);
  t.strictSame(readNpyFloats(join(out, 'per-image/cosine/0-fc.npy')).shape, [1, 3]);
  const [head, boot, coat] = read('per-class.csv');
  t.equal(head, 'layer,reset,class,name,images,passes,invalid,criticality,agreement,top1_before,top1');
  t.match(boot, /^fc,zero,0,boot,2,2,0,/);
  t.match(coat, /^fc,zero,1,"coat, long",1,1,0,/);

  const wrong = await critmap('sweep', model, ...data, ...few, '--per-image', 'cosine,angle');
  t.equal(wrong.code, 2);
  t.match(
    wrong.stderr,
    /--per-image "cosine,angle" is not a list of metrics: cosine, l1, l2, kl, js, agreement/,
  );
  const unlabelled = [
    'sweep',
    model,
    '--data',
    'synthetic:3',
    ...few.slice(0, -1),
    join(dir, 'none'),
    '--per-class',
  ];
  const none = await critmap(...unlabelled);
  t.equal(none.code, 2);
  t.equal(none.stderr.trimEnd().split('\n').length, 1);
  t.match(none.stderr, /--per-class needs labels, and synthetic:3 has none; give --labels/);
  const off = await critmap(...unlabelled, '--labels', 'none');
  t.match(off.stderr, '--per-class needs labels, which --labels none leaves out; do without that');
});
