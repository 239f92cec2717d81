import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import t from 'tap';
import { example, fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

const model = example('resnet.onnx');
const dir = t.testdir({ photos: { cat: {}, dog: {} }, bad: {} });
const at = (...names: string[]) => join(dir, ...names);
const picture = (red: number, width = 40) =>
  sharp({ create: { width, height: 36, channels: 3, background: { r: red, g: 0, b: 0 } } });
for (const [name, red] of [
  ['cat/1.jpg', 10],
  ['cat/2.jpg', 90],
  ['dog/1.jpg', 200],
] as const) {
  writeFileSync(at('photos', name), await picture(red).jpeg().toBuffer());
}
writeFileSync(at('photos', 'dog/2.png'), await picture(250, 60).png().toBuffer());

/** A PNG that says it is of this size, with next to nothing in it. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc(1 << 16));
  const parts = [chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]);
}

const whole = await picture(77).jpeg().toBuffer();
const bad: [name: string, content: Buffer | string, problem: RegExp][] = [
  ['bomb.png', bomb(60_000), /bomb\.png: cannot be decoded \(60000x60000 pixels are more than/],
  ['empty.jpg', '', /empty\.jpg: cannot be decoded \(the file is empty\)/],
  ['text.jpg', 'not an image', /text\.jpg: cannot be decoded \(/],
  [
    'pixels.ppm',
    'P6 1 1 255 abc',
    /pixels\.ppm: cannot be decoded \(it is PPM, PGM or PBM, which is not read; /,
  ],
  ['torn.jpg', whole.subarray(0, whole.length / 2), /torn\.jpg: cannot be decoded \(/],
];
for (const [name, content] of bad) writeFileSync(at('bad', name), content);
symlinkSync('loop.jpg', at('bad', 'loop.jpg'));
symlinkSync('nowhere.jpg', at('bad', 'broken.jpg'));
// Another format than its name says is what it is, as for Pillow.
writeFileSync(at('bad', 'really-png.jpg'), await picture(5).png().toBuffer());
writeFileSync(at('bad', 'fine.jpg'), whole);
writeFileSync(at('bad', 'bitmap.bmp'), readFileSync(fixture('images/rgb.bmp')));

t.test('inspect --data says what is there, without a model', async (t) => {
  const { code, stdout, stderr } = await critmap('inspect', '--data', at('photos'));
  t.equal(code, 0, stderr);
  for (const line of [
    /photos {2}4 images/,
    /sample +4 with --data-seed 0: cat\/1\.jpg, cat\/2\.jpg, dog\/1\.jpg, \.\.\./,
    /formats +3 jpeg srgb, 1 png srgb/,
    /sizes +40 to 60 wide, 36 high; median 40 x 36/,
    /labels +2 of 2 classes in the sample \(cat, dog\)\n/,
    /bad +0 of 4/,
    /pixels +short side to 256, 224 x 224 at the centre, mean 0\.485 0\.456 0\.406,\n {9}std 0\.229/,
  ]) {
    t.match(stdout, line);
  }
});

t.test('--preview shows what the model sees, --json is for machines', async (t) => {
  const preview = at('seen.png');
  const args = ['inspect', model, '--data', at('photos'), '--preview', preview, '--json', '--images', '3'];
  const { code, stdout, stderr } = await critmap(...args);
  t.match(JSON.parse(stdout).model, { name: 'resnet', plan: { error: null } });
  t.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  t.match(found, { images: 4, formats: {}, skipped: [], sample: { seed: 0, count: 3 } });
  t.equal(found.sample.images.length, 3);
  t.match(found.warnings, [/2 classes \(cat, dog\), the model 10 outputs/]);
  const { data, info } = await sharp(readFileSync(preview)).raw().toBuffer({ resolveWithObject: true });
  const side = found.shape.height;
  t.match(info, { width: 4 + 3 * (side + 4), height: 4 + side + 4 });
  const red = data[((4 + side / 2) * info.width + 4 + side / 2) * info.channels]!;
  t.ok(red < 60, 'the first one, grey for this model');
  t.equal(data[0], 255, 'white between them');
});

t.test('sizes that are the same are said once, classes without names by the highest', async (t) => {
  const { code, stdout, stderr } = await critmap(
    'inspect',
    '--data',
    fixture('images/pax-{000000..000001}.tar'),
  );
  t.equal(code, 0, stderr);
  t.match(stdout, /sizes {4}all 10 x 8\n/);
  t.match(stdout, /labels {3}3 classes in the sample, the highest 2\n/);
});

t.test('a table of labels is told in one line as it was understood, by inspect and by sweep', async (t) => {
  const table = at('table.csv');
  writeFileSync(table, 'id,note,breed\ncat/1,x,7\ncat/2,y,7\ndog/1,x,8\ndog/2,y,8\ndog/3,x,9\n');
  const understood = (column: string) =>
    `${table}: columns parted by commas, a head line, images in column "id" without their endings, classes in column "${column}" (`;
  const choice = ['--data', at('photos'), '--labels', table];
  const found = await critmap('inspect', ...choice);
  t.equal(found.code, 0, found.stderr);
  t.ok(found.stdout.includes(`${understood('breed')}indices); 1 row is of other images\n`), found.stdout);
  t.match(found.stdout, /labels {3}2 classes in the sample, the highest 8\n/);
  const named = await critmap('inspect', ...choice, '--label-columns', 'id,note', '--json');
  t.equal(named.code, 0, named.stderr);
  t.match(JSON.parse(named.stdout), { classes: 2, sample: { labels: [0, 1, 0, 1] } });
  t.ok(JSON.parse(named.stdout).labelsUnderstood.startsWith(understood('note')));
  const swept = await critmap(
    'sweep',
    model,
    ...choice,
    '--layers',
    'fc',
    '--trials',
    '1',
    '--out',
    at('labelled'),
  );
  t.equal(swept.code, 0, swept.stderr);
  t.ok(swept.stderr.includes(`labels: ${understood('breed')}`), swept.stderr);
});

t.test('--skip-bad-images is for inspect as for sweep, and lets a cut shard pass', async (t) => {
  const listed = await critmap('inspect', '--data', at('bad'));
  t.match(listed.stdout, /bad {6}7 of 10; a sweep refuses them, or leaves them out with --skip-bad-images\n/);
  const left = await critmap('inspect', '--data', at('bad'), '--skip-bad-images');
  t.match(left.stdout, /bad {6}7 of 10, left out\n/);
  const cut = at('cut.tar');
  writeFileSync(cut, readFileSync(fixture('images/pax-000001.tar')).subarray(0, 2048));
  const args = [
    'sweep',
    model,
    '--data',
    cut,
    '--layers',
    'fc',
    '--trials',
    '1',
    '--out',
    at('cut'),
    '--quiet',
  ];
  const refused = await critmap(...args);
  t.match(refused, { code: 1, stderr: /cut\.tar: is cut off: .*; copy it again, or give --skip-bad-images/ });
  const accepted = await critmap(...args, '--skip-bad-images');
  t.match(accepted, {
    code: 0,
    stderr: /warning: .*cut\.tar: is cut off: nothing marks its end behind its 2 members/,
  });
  t.match(JSON.parse(readFileSync(at('cut', 'run.json'), 'utf8')).warnings.join(), /cut\.tar: is cut off/);
});

t.test('a preview that cannot be written is one line', async (t) => {
  mkdirSync(at('a.png'));
  const inspect = (name: string) => critmap('inspect', '--data', at('photos'), '--preview', at(name));
  const folder = await inspect('a.png');
  t.match(folder, {
    code: 1,
    stderr:
      /^critmap: cannot write .*a\.png: it is a directory; choose another path for it \(--out and the like\)\n$/,
  });
  // It might be one of the images.
  const photo = await inspect(join('photos', 'cat', '1.jpg'));
  t.match(photo, { code: 2, stderr: /1\.jpg is written as PNG; give a name that ends with \.png\n$/ });
});

t.test('every file that cannot be used is listed with its reason', async (t) => {
  const { code, stdout, stderr } = await critmap('inspect', '--data', at('bad'));
  t.equal(code, 0, stderr);
  t.match(stdout, /bad {6}7 of 10/);
  for (const [, , problem] of bad) t.match(stdout, problem);
  t.match(stdout, /loop\.jpg: is a symbolic link to itself/);
  t.match(stdout, /broken\.jpg: does not exist/);
});

const sweep = (out: string, ...more: string[]) =>
  critmap(
    'sweep',
    model,
    '--data',
    at('bad'),
    '--layers',
    'fc',
    '--trials',
    '1',
    '--out',
    at(out),
    '--quiet',
    ...more,
  );

t.test('a sweep refuses them together on one line, before it computes anything', async (t) => {
  const { code, stdout, stderr } = await sweep('refused');
  t.equal(code, 1);
  t.equal(stdout, '');
  t.equal(stderr.trim().split('\n').length, 1, stderr);
  t.match(stderr, /7 of 10 images cannot be used: .*; replace them, take them out or give --skip-bad-images/);
  for (const [, , problem] of bad) t.match(stderr, problem);
});

t.test('--skip-bad-images leaves them out and records them, and the run lists what was used', async (t) => {
  const { code, stderr } = await sweep('skipping', '--skip-bad-images');
  t.equal(code, 0, stderr);
  t.match(stderr, /warning: .*bad: 7 of 10 images are left out/);
  const { sample, data, warnings } = JSON.parse(readFileSync(at('skipping', 'run.json'), 'utf8'));
  t.equal(data.images, 3);
  t.same(
    sample.skipped.map(({ image }: { image: string }) => image),
    ['bomb.png', 'broken.jpg', 'empty.jpg', 'loop.jpg', 'pixels.ppm', 'text.jpg', 'torn.jpg'],
  );
  t.match(sample, { file: 'images.csv', seed: 0, total: 10 });
  t.match(warnings.join(), /7 of 10 images are left out/);
  const rows = readFileSync(at('skipping', 'images.csv'), 'utf8').trim().split('\n');
  t.equal(rows[0], 'image,label,sha256');
  t.match(rows[1], /^bitmap\.bmp,,[0-9a-f]{64}$/);
  t.match(rows[2], /^fine\.jpg,,[0-9a-f]{64}$/);
  t.match(rows[3], /^really-png\.jpg,,[0-9a-f]{64}$/);
});

t.test('what inspect cannot do is said in one line', async (t) => {
  const refused: [string[], number, RegExp][] = [
    [[], 2, /inspect takes a model \(a file or --arch NAME\), --data SRC or both/],
    [['--data', fixture('images/text.parquet')], 1, /has no column of images/],
  ];
  for (const [args, exit, message] of refused) {
    const { code, stderr } = await critmap('inspect', ...args);
    t.equal(code, exit, stderr);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});

t.test('--crop without a model is the size of what is looked at', async (t) => {
  const preview = at('small.png');
  const args = ['inspect', '--data', at('photos'), '--crop', '32', '--preview', preview, '--json'];
  const { code, stdout, stderr } = await critmap(...args);
  t.equal(code, 0, stderr);
  t.match(JSON.parse(stdout), { shape: { height: 32, width: 32 }, sample: { seed: 0, count: 4 } });
  t.match(await sharp(readFileSync(preview)).metadata(), { height: 4 + 32 + 4 });
});

t.test('an option that nothing would read is refused', async (t) => {
  const checks: Promise<void>[] = [];
  const refused = (args: string[], message: string) => {
    const check = critmap('inspect', ...args).then(({ code, stdout, stderr }) => {
      t.equal(code, 2, stderr);
      t.equal(stdout, '');
      t.equal(stderr, `critmap: ${message}\n`);
    });
    checks.push(check);
    return checks.length % 4 === 0 ? Promise.all(checks) : undefined;
  };
  const forModels = [['--weights', 'any.pth'], ['--allow-partial'], ['--input', 'images'], ['--size', '32']];
  for (const words of forModels) {
    await refused(
      ['--data', at('photos'), ...words],
      `${words[0]} goes with a model (a file or --arch NAME)`,
    );
  }
  const forImages = [
    ['--images', '1000'],
    ['--labels', 'none'],
    ['--label-columns', 'breed'],
    ['--skip-bad-images'],
    ['--interpolation', 'bicubic'],
    ['--preview', 'never.png'],
  ];
  for (const words of forImages) await refused([model, ...words], `${words[0]} goes with --data SRC`);
  await Promise.all(checks);
});
