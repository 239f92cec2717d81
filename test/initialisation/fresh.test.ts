/**
 * What critmap draws the layers of every built-in architecture from, against timm's freshly built models: mean,
 * deviation, kurtosis and extremes of each weight and bias over many of them (`test/oracle/make_fresh_golden.py`).
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { blueprintOf } from '../../src/architectures/registry.js';
import { recogniseGraph } from '../../src/initialisation/recognise.js';
import type { Distribution } from '../../src/initialisation/scheme.js';
import { indexGraph } from '../../src/onnx/graph.js';
import { findLayers } from '../../src/onnx/layers.js';
import { fixture } from '../fixtures.js';

interface Row {
  module: string;
  role: 'weight' | 'bias';
  shape: string;
  modules: number;
  elements: number;
  mean: number;
  deviation: number;
  /** NaN of a constant. */
  kurtosis: number;
  low: number;
  high: number;
  apart: number;
  accidents: number;
}
const golden = readFileSync(fixture('fresh.txt'), 'utf8')
  .split(/^# /m)
  .slice(2)
  .map((text) => {
    const [head = '', ...lines] = text.trim().split('\n');
    const [, name = '', draws, parameters] = /^(\S+) (\d+) draws, (\d+) parameters$/.exec(head) ?? [];
    return { name, draws: Number(draws), parameters: Number(parameters), rows: lines.map(rowOf) };
  });

function rowOf(line: string): Row {
  const [module = '', role, shape = '', , ...numbers] = line.split(' ');
  const columns = [
    'modules',
    'elements',
    'mean',
    'deviation',
    'kurtosis',
    'low',
    'high',
    'apart',
    'accidents',
  ];
  const named = Object.fromEntries(columns.map((column, i) => [column, Number(numbers[i])]));
  return { module, role, shape, ...named } as Row;
}

/** Standard errors that a sample may be off by; there are some thousand comparisons. */
const ERRORS = 5;
/** Digits that the fixture keeps. */
const ROUNDING = 1e-4;

/** Moments in theory. A normal is cut nowhere that a sample would show. */
function momentsOf(distribution: Distribution) {
  switch (distribution.kind) {
    case 'uniform':
      return { deviation: distribution.high / Math.sqrt(3), kurtosis: 1.8 };
    case 'constant':
      return { deviation: 0, kurtosis: Number.NaN };
    default:
      return { deviation: distribution.std, kurtosis: 3 };
  }
}

function problems(distribution: Distribution | null, row: Row): string[] {
  const { elements, mean, deviation, kurtosis, low, high, apart, accidents } = row;
  if (!distribution) return ['it is left as it is'];
  const expected = momentsOf(distribution);
  const found: string[] = [];
  const check = (what: string, value: number, wanted: number, tolerance: number) => {
    if (!(Math.abs(value - wanted) <= tolerance))
      found.push(`${what} ${value}, not ${wanted} +- ${tolerance}`);
  };
  if (distribution.kind === 'constant') {
    check('low', low, distribution.value, 0);
    check('high', high, distribution.value, 0);
    return found;
  }
  check('mean', mean, 0, (ERRORS * expected.deviation) / Math.sqrt(elements));
  // The variance of a sample's variance and kurtosis, by the fourth and eighth moments of these distributions.
  const spread = Math.sqrt((expected.kurtosis - 1) / (4 * elements));
  check('deviation', deviation / expected.deviation, 1, ERRORS * spread + ROUNDING);
  check('kurtosis', kurtosis, expected.kurtosis, ERRORS * Math.sqrt(24 / elements) + ROUNDING * 5);
  check('one module apart', apart, 0, ERRORS);
  // One in 2^24 of torch's truncated normals is at the cut by accident; which of them, chance decides.
  const cut = distribution.kind === 'trunc-normal' ? 6 + (3 * elements) / 2 ** 24 : 0;
  if (accidents > cut) found.push(`${accidents} of ${elements} at the cut`);
  if (distribution.kind === 'uniform') {
    if (low < distribution.low * (1 + ROUNDING) || high > distribution.high * (1 + ROUNDING))
      found.push('beyond its bounds');
    // The largest of n uniforms is short of the bound by bound / n, on the average.
    const short = (20 * distribution.high) / elements + ROUNDING * distribution.high;
    check('low', low, distribution.low, short);
    check('high', high, distribution.high, short);
  } else {
    // Of n normals: sqrt(2 ln n) deviations, give or take.
    const extreme = Math.sqrt(2 * Math.log(elements));
    for (const value of [-low, high])
      check('extreme', value / expected.deviation, extreme, 0.15 * extreme + 1);
  }
  return found;
}

for (const { name, draws, parameters: modules, rows } of golden) {
  t.test(`${name} starts as timm's fresh models do`, async (t) => {
    const network = blueprintOf(name).describe({});
    const graph = { ...network.proto.graph!, initializer: network.draws.map(({ tensor }) => tensor) };
    const file = { path: name, proto: network.proto, graph, sha256: '', metadata: new Map() };
    const layers = findLayers(file, indexGraph(graph));
    const { family, schemesOf } = recogniseGraph({
      layers,
      hasLayerNorm: false,
      parameters: [],
      producer: '',
    });
    t.ok(draws >= 2, `${draws} models were built`);
    t.ok(family, 'its family is known');
    const parameters = layers.flatMap(({ bias }) => (bias ? [1, 1] : [1])).length;
    t.equal(
      rows.reduce((sum, row) => sum + row.modules, 0),
      modules,
      'every parameter is in a row',
    );
    t.equal(parameters, modules, 'all of them are of layers, and all layers are among them');
    const pattern = (text: string) => text.replace(/\d+/g, '#');
    const wrong: string[] = [];
    for (const row of rows) {
      const { module, role, shape } = row;
      const same = layers.filter(
        ({ name, weight }) => pattern(name) === pattern(module) && weight.shape.join('x') === shape,
      );
      if (same.length !== row.modules)
        wrong.push(`${module} ${shape}: ${same.length} layers, not ${row.modules}`);
      const drawn = new Set(same.map((layer) => JSON.stringify(schemesOf(layer)[role].draw(layer))));
      if (drawn.size !== 1) wrong.push(`${module}: ${[...drawn].join(' or ')}`);
      for (const text of drawn) {
        wrong.push(...problems(JSON.parse(text), row).map((why) => `${role} of ${module}: ${why}`));
      }
      if (same.some((layer) => schemesOf(layer).guessed)) wrong.push(`${module} is guessed`);
    }
    t.strictSame(wrong, []);
  });
}

t.test('they are all of the built-in architectures', async (t) => {
  const { architectures } = await import('../../src/architectures/registry.js');
  t.strictSame(
    golden.map(({ name }) => name).sort(),
    architectures()
      .map(({ name }) => name)
      .sort(),
  );
});
