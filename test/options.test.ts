import t from 'tap';
import { z } from 'zod';
import { imageOptions } from '../src/images/options.js';
import {
  bare,
  checkOptionValues,
  defaultOf,
  metaOf,
  wantedOf,
  whole,
  withoutDefault,
} from '../src/options.js';
import { sweepFile, sweepOptions } from '../src/sweep/options.js';

const group = 'Of the test:';
const table = {
  count: whole(1).default(3).meta({ description: 'How many', group }),
  part: z.number().min(0.5).max(0.9).optional().meta({ description: 'How much', group }),
  way: z.enum(['up', 'down']).default('up').meta({ description: 'Where', group }),
  names: z.array(z.string()).readonly().default([]).meta({ description: 'Which', group }),
};

t.test('defaults are filled in, and what is given stays', async (t) => {
  t.strictSame(checkOptionValues(table, {}), { count: 3, part: undefined, way: 'up', names: [] });
  const given = { count: 1, part: 0.7, way: 'down', names: ['a'] } as const;
  t.strictSame(checkOptionValues(table, given), given);
});

t.test('a wrong value is refused with its name and what it must be', async (t) => {
  const refused = (values: object, message: RegExp | string) =>
    t.throws(() => checkOptionValues(table, values), { code: 'ERR_OPTION', message });
  refused({ count: 0 }, 'count must be a whole number from 1, got 0');
  refused({ count: 1.5 }, /got 1\.5/);
  refused({ count: Number.NaN }, /got NaN/);
  refused({ part: 1 }, 'part must be a number from 0.5 to 0.9, got 1');
  refused({ way: 'left' }, 'way must be one of up, down, got left');
  t.throws(() => checkOptionValues(table, { names: 'a' } as object), TypeError);
});

t.test('an option without its default is another option with the same help', async (t) => {
  const option = withoutDefault(table.count);
  t.equal(option.parse(undefined), undefined);
  t.equal(defaultOf(option), undefined);
  t.equal(defaultOf(table.count), 3);
  t.strictSame(metaOf('count', option), metaOf('count', table.count));
  t.equal(wantedOf(option), 'a whole number from 1');
  t.throws(() => metaOf('bare', whole(1)), /bare has no help/);
});

t.test('every option of a sweep has help, and a default that it takes itself', async (t) => {
  for (const [name, schema] of Object.entries({ ...imageOptions, ...sweepOptions })) {
    const { description } = metaOf(name, schema);
    t.match(description, /^\S.{3,100}$/, name);
    const preset = defaultOf(schema);
    if (preset !== undefined) t.strictSame(bare(schema).parse(preset), preset, name);
  }
});

t.test("a file's options have a JSON Schema with the same help, ranges and defaults", async (t) => {
  const schema = z.toJSONSchema(sweepFile, { io: 'input' });
  t.equal(schema.additionalProperties, false);
  const properties = schema.properties as Record<string, Record<string, unknown>>;
  t.strictSame(Object.keys(properties), [
    ...Object.keys(imageOptions),
    ...Object.keys(sweepOptions),
    'reset',
  ]);
  t.match(properties.trials, {
    type: 'integer',
    minimum: 1,
    description: 'How many draws see the same images; given alone, each draw sees all images',
  });
  t.match(properties.seed, { minimum: 0, default: 0 });
  t.match(properties.engine, { enum: ['fast', 'reference'], default: 'fast' });
  t.match(sweepFile.parse({}), { seed: 0, images: 1000, reset: ['random'], layers: [] });
  t.throws(() => sweepFile.parse({ trails: 3 }), /trails/);
});
