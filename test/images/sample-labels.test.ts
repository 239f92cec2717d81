import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { imagenetOutput, imagenetOutputOfNumber, imagenetSynsets } from '../../src/images/imagenet.js';
import { type ImageOptions, openImages } from '../../src/images/index.js';

const SHAPE = { channels: 3, height: 32, width: 32 };

/** A folder of files that nobody decodes. */
function folder(t: Test, paths: readonly string[]): string {
  const root = join(t.testdir(), 'data');
  for (const path of paths) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), '');
  }
  return root;
}

async function labelsOf(root: string, options: Partial<ImageOptions>) {
  const set = await openImages(root, { shape: SHAPE, images: 'all', ...options });
  await set.close();
  return set;
}

/** Writes a file of labels beside the images. */
function labelFile(root: string, name: string, text: string): string {
  const path = join(root, '..', name);
  writeFileSync(path, text);
  return path;
}

t.test("ImageNet's synsets are in the order of the models' outputs and of the challenge's numbers", (t) => {
  t.equal(imagenetSynsets.length, 1000);
  t.equal(new Set(imagenetSynsets).size, 1000);
  t.same([...imagenetSynsets].sort(), imagenetSynsets);
  // torchvision's ImageNet: tench, goldfish, great white shark; toilet tissue.
  t.same(imagenetSynsets.slice(0, 3), ['n01440764', 'n01443537', 'n01484850']);
  t.equal(imagenetSynsets[999], 'n15075141');
  t.equal(imagenetOutput('n02106662'), 235, 'German shepherd');
  t.equal(imagenetOutput('n00000000'), undefined);
  // The first ten lines of ILSVRC2012_validation_ground_truth.txt, and the synsets that TensorFlow's
  // imagenet_2012_validation_synset_labels.txt has for the same images.
  const numbers = [490, 361, 171, 822, 297, 482, 13, 704, 599, 164];
  const synsets =
    'n01751748 n09193705 n02105855 n04263257 n03125729 n01735189 n02346627 n02776631 n03794056 n02328150';
  t.same(
    numbers.map((number) => imagenetSynsets[imagenetOutputOfNumber(number)!]),
    synsets.split(' '),
  );
  t.same([0, 1001, -1, 1.5].map(imagenetOutputOfNumber), [undefined, undefined, undefined, undefined]);
  t.end();
});

t.test('class folders that are some of the synsets get the indices of all of them', async (t) => {
  const root = folder(t, ['n01443537/a.jpg', 'n02106662/b.jpg', 'n15075141/c.jpg']);
  const set = await labelsOf(root, { classes: 1000 });
  t.same([...set.labels!], [1, 235, 999]);
  t.equal(set.classNames, imagenetSynsets);
  t.same(set.warnings, []);
  t.same([...(await labelsOf(root, {})).labels!], [0, 1, 2], 'without a model as in ImageFolder');
  const three = await labelsOf(root, { classes: 3 });
  t.same([...three.labels!], [0, 1, 2], 'a model of three classes has been trained on just these');
  t.same(three.warnings, []);
});

t.test('a model with 1,000 outputs and a folder of other classes is told so', async (t) => {
  const root = folder(t, ['cat/a.jpg', 'dog/b.jpg']);
  const told: string[] = [];
  const set = await labelsOf(root, { classes: 1000, onWarning: (text) => told.push(text) });
  t.same([...set.labels!], [0, 1]);
  t.match(told, [/has 2 classes \(cat, dog\), the model 1000 outputs: .* accuracies mean nothing unless/]);
  t.same(set.warnings, told);
  t.same((await labelsOf(root, { classes: 1000, labels: 'none' })).warnings, []);
  const mixed = folder(t, ['n01443537/a.jpg', 'n00000001/b.jpg']);
  t.match((await labelsOf(mixed, { classes: 1000 })).warnings, [/the model 1000 outputs/]);
});

t.test('folders that are numbers out of order are told of', async (t) => {
  const names = Array.from({ length: 11 }, (_, at) => `${at}/a.jpg`);
  const { warnings } = await labelsOf(folder(t, names), { classes: 11 });
  t.match(warnings, [/taken in sorted order, as torchvision does, so folder 10 is class 2; pad the numbers/]);
  const padded = names.map((name) => name.padStart('10/a.jpg'.length, '0'));
  const sorted = await labelsOf(folder(t, padded), { classes: 11 });
  t.same(sorted.warnings, []);
  t.same([...sorted.labels!], [...names.keys()]);
});

const VALIDATION = [1, 2, 3].map((n) => `ILSVRC2012_val_0000000${n}.JPEG`);

t.test("ImageNet's ground truth is in its own numbers, by the images' own names", async (t) => {
  const root = folder(t, [...VALIDATION.slice(1), `deep/${VALIDATION[0]}`]);
  const file = labelFile(root, 'ILSVRC2012_validation_ground_truth.txt', '490\n361\n171\n822\n');
  const { labels, names } = await labelsOf(root, { labels: file });
  t.same(names, [VALIDATION[1], VALIDATION[2], `deep/${VALIDATION[0]}`]);
  t.same([...labels!], ['n09193705', 'n02105855', 'n01751748'].map(imagenetOutput));
  labelFile(root, 'ILSVRC2012_validation_ground_truth.txt', '490\n1001\n171\n');
  await t.rejects(labelsOf(root, { labels: file }), {
    message: /line 2: "1001" is not a class number from 1 to 1000/,
  });
  labelFile(root, 'ILSVRC2012_validation_ground_truth.txt', '490\n');
  await t.rejects(labelsOf(root, { labels: file }), { message: /has no line 2 for ILSVRC2012_val_00000002/ });
  const unnamed = folder(t, ['a.jpg']);
  labelFile(unnamed, 'ILSVRC2012_validation_ground_truth.txt', '490\n');
  await t.rejects(labelsOf(unnamed, { labels: file }), {
    message: /and a\.jpg has none; name the/,
  });
});

t.test('labels may be synsets, csv with a head line, or counted from 1 by mistake', async (t) => {
  const root = folder(t, ['a.jpg', 'b,c.jpg']);
  const given = async (name: string, text: string, options: Partial<ImageOptions> = {}) => [
    ...(await labelsOf(root, { labels: labelFile(root, name, text), ...options })).labels!,
  ];
  t.same(await given('l.txt', 'n01440764\nn15075141\n'), [0, 999]);
  t.same(await given('l.txt', 'a.jpg n01443537\nb,c.jpg 7\n'), [1, 7]);
  t.same(await given('l.csv', 'image,label\na.jpg,3\n"b,c.jpg",4\n'), [3, 4]);
  t.same(await given('l.csv', 'label\n8\n9\n'), [8, 9]);
  t.same(await given('l.txt', 'image,label\na.jpg,3\nb,c.jpg,4\n'), [3, 4]);
  await t.rejects(given('l.txt', 'n00000009\n0\n'), {
    message: /"n00000009" is not one of ImageNet's 1,000 synsets/,
  });
  await t.rejects(given('l.txt', '1\n2\n', { classes: 2 }), {
    code: 'ERR_IMAGES',
    message: /class indices run from 1 to 2, the model's from 0 to 1; subtract 1/,
  });
  t.same(await given('l.txt', '1\n2\n', { classes: 3 }), [1, 2]);
});
