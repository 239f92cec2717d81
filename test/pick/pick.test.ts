/** Picked layers: those whose whole interval is on one side, in words that match them and no other. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { pickFormats, pickText } from '../../src/pick/formats.js';
import { pickLayers } from '../../src/pick/pick.js';
import { exampleSummary, resnet18Layers } from '../report/example.js';

const bounds = (low: number | null, high: number | null) => ({
  mean: low === null || high === null ? null : (low + high) / 2,
  low,
  high,
  interval: low === null ? null : ('student' as const),
});

/** A run of layers with these names and intervals, each of 100 parameters and 10 MACs. */
function runOf(rows: readonly (readonly [name: string, low: number | null, high: number | null])[]) {
  const summary = exampleSummary(rows.map(([layer]) => ({ layer, op: 'Conv', shape: [1, 1, 10, 10] })));
  summary.layers.forEach((layer, i) => {
    const [, low, high] = rows[i]!;
    Object.assign(layer.criticality, bounds(low, high));
    Object.assign(layer, { parameters: 100, passes: 10, invalid: 0 });
  });
  const layers = rows.map(([name], position) => ({
    ...{
      name,
      op: 'Conv',
      shape: [],
      groups: 1,
      parameters: 100,
      position,
      init: null,
      macs: 1,
      ownMacs: 10,
    },
  }));
  const model = { parameters: 1000, macs: 400 };
  return { summary, info: { plan: { chunk: 8, classes: 10, forward: 1, layers, model } } };
}

t.test('an interval must lie wholly on one side', async (t) => {
  const run = runOf([
    ['under', 0, 4.9],
    ['reaches', 0, 5],
    ['across', 4, 20],
    ['over', 5, 9],
    ['unmeasured', null, null],
  ]);
  const below = pickLayers(run, { below: 5 });
  t.strictSame(
    below.layers.map(({ layer }) => layer),
    ['under'],
  );
  t.strictSame(below.unknown, ['reaches', 'across', 'unmeasured']);
  t.strictSame(below.parameters, { picked: 100, of: 1000, share: 0.1, ofModel: true });
  t.strictSame(below.macs, { picked: 10, of: 400, share: 0.025 });
  const above = pickLayers(run, { above: 4 });
  t.strictSame(
    above.layers.map(({ layer }) => layer),
    ['over'],
  );
  t.strictSame(above.unknown, ['under', 'reaches', 'across', 'unmeasured']);

  run.summary.layers[4]!.invalid = 10;
  t.same(
    pickLayers(run, { above: 60 }).layers.map(({ layer }) => layer),
    ['unmeasured'],
    'NaN is critical',
  );
  const without = pickLayers({ summary: run.summary }, { below: 5 });
  t.equal(without.macs, null);
  t.same(without.parameters, { picked: 100, of: 500, share: 0.2, ofModel: true });
});

t.test('agreement, resets and wrong options', async (t) => {
  const run = runOf([['a', 0, 4]]);
  Object.assign(run.summary.layers[0]!.agreement, bounds(96, 99));
  t.equal(pickLayers(run, { above: 95, metric: 'agreement' }).layers.length, 1);
  for (const [options, message] of [
    [{}, /one threshold/],
    [{ below: 1, above: 2 }, /one threshold/],
    [{ below: Number.NaN }, /from 0 to 100, got NaN/],
    [{ above: 101 }, /from 0 to 100/],
    [{ below: 5, reset: 'zero' }, /no reset "zero"; it has random/],
    [{ below: 5, metric: 'loss' as never }, /criticality or agreement/],
  ] as const) {
    t.throws(() => pickLayers(run, options), { code: 'ERR_OPTION', message });
  }
  t.throws(() => pickLayers({} as never, { below: 5 }), TypeError);
  t.throws(() => pickText(pickLayers(run, { below: 5 }), 'yaml' as never), /there are json, regex/);
});

t.test('queries, keys and values that were layers are their module, or no words for modules', async (t) => {
  const run = runOf([
    ['a.qkv.q', 0, 1],
    ['a.qkv.k', 0, 1],
    ['a.qkv.v', 0, 1],
    ['b.q', 0, 1],
    ['b.k', 50, 60],
    ['b.v', 50, 60],
  ]);
  run.summary.options.splitQkv = true;
  const part = pickLayers(run, { below: 5 });
  for (const format of ['torch', 'nncf', 'modelopt'] as const)
    t.throws(() => pickText(part, format), {
      code: 'ERR_OPTION',
      message: /"b\.q" is picked and "b\.k" and "b\.v" is not/,
    });
  t.match(pickText(part, 'regex'), 'a\\.qkv\\.q', 'other tools take any name');
  const whole = { ...part, layers: part.layers.slice(0, 3) };
  t.match(pickText(whole, 'torch'), /picked = \[\n {4}"a\.qkv",\n\]/);
  delete run.summary.options.splitQkv;
  t.match(pickText(pickLayers(run, { below: 5 }), 'torch'), '"b.q"', 'separate ones are modules');
});

/** Names that would match others, or break a string, were they not escaped. */
const odd = [
  'a.b',
  'axb',
  'a.b.c',
  'attn',
  'attn.proj',
  'w[0]',
  'w0',
  'x*',
  'xx',
  'q"u\\o',
  'l\nm',
  '(?:',
  'a|b',
  'é',
  '🙂.1',
];
const all = [...odd, ...resnet18Layers.map(({ layer }) => layer), 'layer1.0.conv10', 'xlayer1.0.conv1'];
const wanted = all.filter((name) => odd.indexOf(name) % 2 === 0 || name.startsWith('layer1.0'));
const picked = pickLayers(runOf(all.map((name) => (wanted.includes(name) ? [name, 0, 1] : [name, 50, 60]))), {
  below: 5,
});

t.test('the regular expression matches these layers of the run and no other', async (t) => {
  const regex = new RegExp(pickText(picked, 'regex').trimEnd());
  t.strictSame(
    all.filter((name) => regex.test(name)),
    wanted,
  );
  const none = new RegExp(pickText({ ...picked, layers: [] }, 'regex').trimEnd());
  t.strictSame(
    [...all, ''].filter((name) => none.test(name)),
    [],
  );
  for (const format of pickFormats) t.notMatch(pickText(picked, format), /l\nm/, 'names cannot begin a line');
  t.same(JSON.parse(pickText(picked, 'json')).names, wanted);
});

const python = ['python3', 'python'].find((path) => spawnSync(path, ['--version']).status === 0);

/** Stand-ins for what the snippets are pasted beside; NNCF joins modules' names with slashes. */
const BESIDE = `
import fnmatch, json, re, sys
names, texts = json.load(sys.stdin)
class Parameter: requires_grad = True
class Module:
    def __init__(self): self.own = Parameter()
    def parameters(self, recurse): assert recurse is False; return [self.own]
class Model:
    def __init__(self): self.modules = {name: Module() for name in names}
    def get_submodule(self, name): return self.modules[name]
class nncf:
    IgnoredScope = staticmethod(lambda patterns: patterns)
def ran(text):
    scope = {"model": Model(), "nncf": nncf, "config": {"quant_cfg": []}}
    exec(text, scope)
    return scope
frozen = ran(texts["torch"])["model"].modules
patterns = ran(texts["nncf"])["picked"]
entries = ran(texts["modelopt"])["config"]["quant_cfg"]
nodes = {name: name.replace(".", "/") + "/conv2d/0" for name in names}
print(json.dumps({
    "regex": [name for name in names if re.search(texts["regex"].rstrip("\\n"), name)],
    "torch": [name for name in names if not frozen[name].own.requires_grad],
    "nncf": [name for name in names if any(re.match(one, nodes[name]) for one in patterns)],
    "modelopt": [name for name in names if any(
        fnmatch.fnmatch(name + ".weight_quantizer", one["quantizer_name"]) and one["enable"] is False for one in entries)],
}))
`;

t.test(
  'Python runs the snippets on these layers and no other',
  { skip: !python && 'there is no Python' },
  async (t) => {
    const texts = Object.fromEntries(pickFormats.map((format) => [format, pickText(picked, format)]));
    const { stdout, stderr } = spawnSync(python!, ['-c', BESIDE], {
      input: JSON.stringify([all, texts]),
      encoding: 'utf8',
    });
    t.equal(stderr, '');
    const found = JSON.parse(stdout);
    for (const format of ['regex', 'torch', 'nncf', 'modelopt']) t.strictSame(found[format], wanted, format);
  },
);
