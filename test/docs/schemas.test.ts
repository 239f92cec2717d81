/** The schemas of a run's files are those of the code; real files fit them, and files with a wrong type do not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { parseReset } from '../../src/resets/parse.js';
import { runSchemas, schemaText } from '../../src/run/schemas.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';
import { checkOf, misfitsIn } from './json-schemas.js';
import { root } from './pages.js';

const names = Object.keys(runSchemas) as (keyof typeof runSchemas)[];

t.test('the schemas that are shipped are those of the code', async (t) => {
  for (const name of names) {
    t.equal(readFileSync(join(root, 'docs', name), 'utf8'), schemaText(name), 'node scripts/run-schemas.mjs');
  }
});

t.test('files of every kind of sweep fit, and no field takes another type', async (t) => {
  const folder = t.testdir();
  const model = await loadModel(example('resnet.onnx'));
  const layers = ['conv1', 'layer3.*', 'fc'];
  const asked: Record<string, SweepOptions & { labels?: string }> = {
    slices: {},
    'no-labels': { labels: 'none' },
    crossed: { trials: 2 },
    single: { trials: 1 },
    resets: {
      resets: await Promise.all(['zero', 'shuffle', 'prune=0.5'].map((word) => parseReset(word))),
    },
    groups: { group: 'block', parts: 'weight' },
    stopping: { tolerance: 40, simultaneous: true },
    shard: { shard: { index: 1, of: 2 } },
  };
  for (const [name, { labels, ...options }] of Object.entries(asked)) {
    const images = await openImages(example('images.npz'), {
      ...modelInput(model),
      images: 32,
      ...(labels && { labels }),
    });
    await sweep(model, images, { layers, ...options, out: join(folder, name) });
    await images.close();
  }
  const { count, misfits } = misfitsIn(folder);
  t.equal(count, 2 * Object.keys(asked).length - 1, 'a shard has no summary');
  t.strictSame(misfits, []);

  for (const name of ['run', 'summary']) {
    const check = checkOf(`${name}.schema.json`);
    const text = readFileSync(join(folder, 'slices', `${name}.json`), 'utf8');
    let tried = 0;
    for (const path of leavesOf(JSON.parse(text))) {
      // What was asked, the machine and the transform are whatever they are.
      if (/^(options|environment|data\.transform)\b/.test(path.join('.'))) continue;
      const value = JSON.parse(text);
      const holder = path.slice(0, -1).reduce((inner, key) => inner[key], value);
      holder[path.at(-1)!] = true;
      t.not(check(value), '', `${name}.json: ${path.join('.')} is no boolean`);
      tried++;
    }
    t.ok(tried > 20, `${tried} fields of ${name}.json`);
    const { version: _, ...lacking } = JSON.parse(text);
    t.match(check(lacking), /version/);
  }
});

/** Paths of all that is neither object nor list, of lists of their first element. */
function leavesOf(value: unknown, path: string[] = []): string[][] {
  if (Array.isArray(value)) return value.length > 0 ? leavesOf(value[0], [...path, '0']) : [];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}
