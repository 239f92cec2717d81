/** Classes in Parquet files that are text; the fixtures are of `oracle/make_image_shards.py`. */
import t from 'tap';
import { imagenetOutput } from '../../../src/images/imagenet.js';
import { type ImageOptions, openImages } from '../../../src/images/index.js';
import { fixture } from '../../fixtures.js';

async function labelsOf(name: string, options: Partial<ImageOptions> = {}) {
  const set = await openImages(fixture(`images/${name}.parquet`), {
    shape: { channels: 3, height: 8, width: 8 },
    images: 'all',
    resize: 8,
    ...options,
  });
  await set.close();
  return set;
}

t.test('class names count in sorted order, however they are stored', async (t) => {
  for (const name of ['names', 'names-dictionary', 'names-bytes']) {
    const { labels, classNames } = await labelsOf(name);
    t.same([...labels!], [2, 0, 2, 1], name);
    t.same(classNames, ['ant', 'bee', 'cow']);
  }
  const { labels } = await labelsOf('names', { labels: 'column:label' });
  t.same([...labels!], [2, 0, 2, 1]);
});

t.test("ImageNet's synsets are its outputs, others' are sorted", async (t) => {
  const synsets = ['n01443537', 'n01440764', 'n15075141', 'n01440764'];
  const imagenet = await labelsOf('names-of-synsets', { classes: 1000 });
  t.same([...imagenet.labels!], synsets.map(imagenetOutput));
  t.same(imagenet.warnings, []);
  const three = await labelsOf('names-of-synsets', { classes: 3 });
  t.same([...three.labels!], [1, 0, 2, 0]);
  t.same(three.warnings, []);
});

t.test('a model of other classes is told of', async (t) => {
  const { warnings } = await labelsOf('names', { classes: 10 });
  t.match(warnings, [/has 3 classes \(ant, bee, cow\), the model 10 outputs/]);
});

t.test('a column of labels that cannot be used is refused, not left out', async (t) => {
  for (const name of ['labels-of-lists', 'labels-of-doubles']) {
    await t.rejects(labelsOf(name), {
      code: 'ERR_IMAGES',
      message:
        /the column label is neither of whole numbers nor of text; choose another by --labels column:NAME, or --/,
    });
    t.equal((await labelsOf(name, { labels: 'none' })).labels, null);
  }
  await t.rejects(labelsOf('names-missing'), { message: /names-missing\.parquet row 1: has no class/ });
});
