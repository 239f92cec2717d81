import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { example, fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

const model = example('resnet.onnx');
const data = example('images.npz');
const dir = t.testdir({
  'notes.onnx': 'not a model, just text\n'.repeat(50),
  empty: {},
  documents: { 'a.txt': 'x', 'b.pdf': 'y' },
  photos: {},
  other: { 'thesis.tex': 'x' },
  file: 'x',
});
const at = (...names: string[]) => join(dir, ...names);
const whole = readFileSync(model);
writeFileSync(at('cut.onnx'), whole.subarray(0, whole.length / 2));
const jpeg = await sharp({ create: { width: 40, height: 40, channels: 3, background: 'teal' } })
  .jpeg()
  .toBuffer();
writeFileSync(at('photos', 'fine.jpg'), jpeg);
writeFileSync(at('photos', 'torn.jpg'), jpeg.subarray(0, jpeg.length / 2));

/** A sweep of `args` fails with one line that says all of `says`, and exit `code`. */
function refuses(title: string, code: 1 | 2, args: string[], ...says: (string | RegExp)[]): void {
  t.test(title, async (t) => {
    const { code: exit, stdout, stderr } = await critmap(...args);
    t.equal(exit, code, stderr);
    t.equal(stdout, '');
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    for (const text of says) {
      t.ok(
        typeof text === 'string' ? stderr.includes(text) : text.test(stderr),
        `${stderr.trim()} says ${text}`,
      );
    }
  });
}
const sweep = (over: { model?: string; data?: string; out?: string }, ...more: string[]) => [
  'sweep',
  over.model ?? model,
  '--data',
  over.data ?? data,
  '--out',
  over.out ?? at('run'),
  '--quiet',
  ...more,
];

refuses('no such model', 1, sweep({ model: at('gone.onnx') }), at('gone.onnx'), /no such file/);
refuses('a text file as model', 1, sweep({ model: at('notes.onnx') }), at('notes.onnx'), /not an ONNX model/);
refuses('a truncated model', 1, sweep({ model: at('cut.onnx') }), at('cut.onnx'), /cut off or damaged/);
refuses('a folder that does not exist', 1, sweep({ data: at('gone') }), at('gone'), /does not exist/);
refuses('an empty folder', 1, sweep({ data: at('empty') }), at('empty'), /empty|no image/);
refuses('a folder of non-images', 1, sweep({ data: at('documents') }), at('documents'), /\.txt/);
refuses('a corrupt JPEG', 1, sweep({ data: at('photos') }), 'torn.jpg');
refuses(
  'images whose channels do not fit the model',
  1,
  sweep({ model: fixture('bottleneck.onnx') }),
  data,
  /1 channel/,
  /3/,
);
refuses(
  '--layers that matches nothing, with the nearest names',
  2,
  sweep({}, '--layers', 'layer3.0.conf1'),
  /layer3\.0\.conf1/,
  /layer3\.0\.conv1/,
);
refuses(
  'a mistyped option, once, as it was typed, with the nearest',
  2,
  sweep({}, '--skip-bad-imges', '--image', '5', '--forse'),
  /Unknown arguments: --skip-bad-imges, --image, --forse; did you mean --skip-bad-images, --images, --force\?/,
  /\(critmap sweep --help /,
);
refuses(
  "an option of a study's file on its command line",
  2,
  ['study', 'study.yaml', '--out', at('run'), '--skip-bad-images'],
  /--skip-bad-images is set in the study's file, as skipBadImages/,
);
refuses('an output directory of other files', 1, sweep({ out: at('other') }), at('other'), /thesis\.tex/);
refuses(
  'an output directory below a file',
  1,
  sweep({ out: at('file', 'run') }),
  at('file', 'run'),
  /is a file/,
);
refuses('a device that is not there', 1, sweep({}, '--device', 'cuda'), /--device cuda/);
refuses('an unknown device', 2, sweep({}, '--device', 'tpu'), /tpu/);
refuses('a card that is named twice', 2, sweep({}, '--device', 'cuda:1,1'), /cuda:1,1 names card 1 twice/);
refuses(
  'a precision that the processor lacks',
  2,
  sweep({}, '--precision', 'fp16'),
  /the processor computes in fp32/,
);
refuses('an unknown precision', 2, sweep({}, '--precision', 'bf16'), /bf16/);
refuses('an unknown reset', 2, sweep({}, '--reset', 'ones'), /ones/, /the forms are/);
refuses('a number that is none', 2, sweep({}, '--trials', 'three'), /--trials "three" is not a whole number/);
refuses('a mean of the wrong length', 2, sweep({}, '--mean', '0,0,0', '--std', '1,1,1'), /--mean/);
refuses('a missing option', 2, ['sweep', model, '--data', data], /out/);
refuses('a mistyped option', 2, sweep({}, '--trails', '3'), /trails/);
refuses('a mistyped command', 2, ['swep', model], /sweep/);
refuses('no command', 2, [], /command/);
refuses(
  'a run that is none',
  1,
  ['report', at('empty'), '--out', at('r.html')],
  at('empty'),
  /not a finished/,
);

t.test('an output directory that holds another run, which stays as it was', async (t) => {
  const out = at('first');
  mkdirSync(at('parent'));
  const quick = ['--layers', 'fc', '--images', '20', '--trials', '1'];
  t.equal((await critmap(...sweep({ out }, ...quick))).code, 0);
  const before = readFileSync(join(out, 'summary.json'), 'utf8');
  const { code, stderr } = await critmap(...sweep({ out }, ...quick, '--seed', '1'));
  t.equal(code, 1);
  t.match(stderr, /holds another run \(seed 0, now 1\)/);
  t.ok(stderr.includes(out));
  t.equal(readFileSync(join(out, 'summary.json'), 'utf8'), before);
});
