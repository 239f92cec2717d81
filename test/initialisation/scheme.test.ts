import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { biasOf, type Distribution, initSchemes, parseScheme } from '../../src/initialisation/scheme.js';
import { matchFactor } from '../../src/initialisation/spread.js';
import { fixture } from '../fixtures.js';

/** Values from torch.nn.init, see oracle/make_init_golden.py. */
interface Golden {
  shape: number[];
  groups: number;
  fanIn: number;
  fanOut: number;
  pytorchDefault: { weightBound: number; biasBound: number };
  kaimingNormal: { std: number };
  kaimingNormalFanOutRelu: { std: number };
  kaimingUniform: { bound: number };
  xavierNormal: { std: number };
  xavierUniform: { bound: number };
  lecunNormal: { param: number; bound: number };
}
const golden: Golden[] = JSON.parse(readFileSync(fixture('init.json'), 'utf8')).shapes;

for (const one of golden) {
  t.test(`the distributions of a ${one.shape.join('x')} weight are PyTorch's`, async (t) => {
    const fans = { fanIn: one.fanIn, fanOut: one.fanOut, groups: one.groups };
    const of = (scheme: string) => parseScheme(scheme).draw(fans);
    const uniform = (bound: number) => ({ kind: 'uniform', low: -bound, high: bound });
    const normal = (std: number) => ({ kind: 'normal', mean: 0, std });
    near(t, of('pytorch'), uniform(one.pytorchDefault.weightBound));
    near(t, biasOf(parseScheme('pytorch')).draw(fans), uniform(one.pytorchDefault.biasBound));
    near(t, of('kaiming-normal'), normal(one.kaimingNormal.std));
    near(t, of('kaiming-normal:fan-out'), normal(one.kaimingNormalFanOutRelu.std));
    near(t, of('kaiming-normal:fan-in/linear'), normal(one.kaimingNormal.std / Math.SQRT2));
    near(t, of('kaiming-uniform'), uniform(one.kaimingUniform.bound));
    near(t, of('xavier-normal'), normal(one.xavierNormal.std));
    near(t, of('xavier-uniform'), uniform(one.xavierUniform.bound));
    const { param, bound } = one.lecunNormal;
    near(t, of('lecun-normal'), { kind: 'trunc-normal', mean: 0, std: param, low: -bound, high: bound });
    near(t, of('trunc-normal'), { kind: 'trunc-normal', mean: 0, std: 0.02, low: -2, high: 2 });
    near(t, of('trunc-normal:0.1/2std'), { kind: 'trunc-normal', mean: 0, std: 0.1, low: -0.2, high: 0.2 });
    // timm's EfficientNets: kernel elements x outputs // groups, and one over the root of a Linear's outputs.
    const receptive = one.shape.slice(2).reduce((product, size) => product * size, 1);
    const ofGroup = Math.floor((one.shape[0]! * receptive) / one.groups);
    near(t, of('kaiming-normal:fan-out/groups'), normal(Math.sqrt(2 / ofGroup)));
    near(t, of('uniform:fan-out'), uniform(1 / Math.sqrt(one.shape[0]! * receptive)));
    near(
      t,
      of('uniform:fan-in+fan-out'),
      uniform(1 / Math.sqrt((one.shape[0]! + one.shape[1]!) * receptive)),
    );
  });
}

t.test('numbers are taken as they are', async (t) => {
  const fans = { fanIn: 3, fanOut: 4, groups: 1 };
  near(t, parseScheme('normal:0.05').draw(fans), { kind: 'normal', mean: 0, std: 0.05 });
  near(t, parseScheme('uniform:0.5').draw(fans), { kind: 'uniform', low: -0.5, high: 0.5 });
  near(t, parseScheme('uniform:-1:3').draw(fans), { kind: 'uniform', low: -1, high: 3 });
  near(t, parseScheme('constant:-2').draw(fans), { kind: 'constant', value: -2 });
  near(t, parseScheme('zero').draw(fans), { kind: 'constant', value: 0 });
  t.equal(parseScheme('keep').draw(fans), null);
  t.equal(parseScheme('trunc-normal:0.02/2std').words, 'trunc-normal(0.02/2std)');
  t.equal(parseScheme('uniform:-1:3').words, 'uniform(-1, 3)');
});

t.test('the named schemes go with a zero bias; match and keep leave the bias', async (t) => {
  const bias = (text: string) => biasOf(parseScheme(text)).draw({ fanIn: 3, fanOut: 4, groups: 1 });
  for (const text of ['kaiming-normal', 'trunc-normal:0.02', 'normal:1', 'zero']) {
    t.strictSame(bias(text), { kind: 'constant', value: 0 }, text);
  }
  t.equal(bias('match'), null);
  t.equal(bias('keep'), null);
});

t.test('a scheme that there is not, and arguments that it does not take, are refused by name', async (t) => {
  const refused = (text: string, message: RegExp) =>
    t.throws(() => parseScheme(text), { name: 'RangeError', message }, text);
  refused('trunk-normal', /no scheme "trunk-normal", perhaps trunc-normal; the schemes are auto, pytorch, /);
  refused('', /no scheme ""/);
  refused('constructor', /no scheme "constructor"/);
  refused('normal', /^normal: STD must be a number/);
  refused('normal:-1', /STD must be above 0/);
  refused('normal:1e39', /STD must be a number that a 32-bit float holds/);
  refused('normal:', /STD must be a number/);
  refused('trunc-normal:51', /at most 50/);
  refused('trunc-normal:0.1/3std', /2std/);
  refused('uniform', /BOUND must be a number/);
  refused('uniform:2:1', /LOW must not be above HIGH/);
  refused('uniform:1:2:3', /BOUND or LOW:HIGH/);
  refused('kaiming-normal:groups', /fan-in or fan-out/);
  refused('kaiming-normal:fan-in/fan-out', /fan-in or fan-out/);
  refused('kaiming-uniform:fan-out/goups', /fan-in or fan-out/);
  refused('xavier-normal:2', /it takes no argument/);
  refused('zero:1', /it takes no argument/);
});

t.test('a fan of zero is refused', async (t) => {
  for (const scheme of initSchemes.filter((name) => name !== 'auto')) {
    t.throws(() => parseScheme(scheme).draw({ fanIn: 0, fanOut: 5, groups: 1 }), RangeError);
    t.throws(() => parseScheme(scheme).draw({ fanIn: 5, fanOut: 0, groups: 1 }), RangeError);
  }
});

t.test("match takes every output channel's standard deviation, in either storage order", async (t) => {
  // Channel 0 is 1, 3, 5 (variance 8/3), channel 1 is -1, -1, -1 (variance 0).
  const rows = { tensor: 'w', stored: [2, 3], shape: [2, 3], layout: { channels: 2, inner: 3 } };
  const columns = {
    tensor: 'w',
    stored: [3, 2],
    shape: [2, 3],
    layout: { channels: 2, inner: 1, transposed: true },
  };
  const expected = Float32Array.of(Math.sqrt(8 / 3), 0);
  t.strictSame(matchFactor(rows, Float32Array.of(1, 3, 5, -1, -1, -1)), expected);
  t.strictSame(matchFactor(columns, Float32Array.of(1, -1, 3, -1, 5, -1)), expected);
});

function near(t: Test, found: Distribution | null, expected: object): void {
  for (const [key, value] of Object.entries(expected)) {
    const other = (found as unknown as Record<string, unknown>)[key];
    if (typeof value === 'string') t.equal(other, value);
    else t.ok(Math.abs((other as number) - value) <= 1e-12 * Math.abs(value), `${key} ${other} is ${value}`);
  }
}
