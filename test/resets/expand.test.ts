/** Words of `--reset` that stand for several resets. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { expandResets } from '../../src/resets/expand.js';
import { parseResets } from '../../src/resets/parse.js';
import { fixture } from '../fixtures.js';

t.test('lists and globs become single resets, files by their numbers', async (t) => {
  const dir = t.testdir({ 'step-10.pth': '', 'step-2.pth': '', 'other.pth': '', 'a,b.pth': '' });
  const [two, ten] = [join(dir, 'step-2.pth'), join(dir, 'step-10.pth')];
  const glob = join(dir, 'step-*.pth');
  t.strictSame(await expandResets(['random', 'prune=0.1,0.5', 'quantize=int8,fp8', 'noise=0']), [
    ...['random', 'prune=0.1', 'prune=0.5', 'quantize=int8', 'quantize=fp8', 'noise=0'],
  ]);
  t.strictSame(await expandResets([`donor=${glob}`, `donor=${glob}#ema`]), [
    ...[`donor=${two}`, `donor=${ten}`, `donor=${two}#ema`, `donor=${ten}#ema`],
  ]);
  t.strictSame(await expandResets([`interpolate=${glob}@0,0.5`]), [
    ...[`interpolate=${two}@0`, `interpolate=${two}@0.5`, `interpolate=${ten}@0`, `interpolate=${ten}@0.5`],
  ]);
  const plain = [
    `donor=${join(dir, 'a,b.pth')}`,
    'donor=hf:o/n@main/w*.pth',
    'interpolate=f',
    'donor',
    'x=1,2',
  ];
  t.strictSame(await expandResets(plain), plain);
  const refused = (text: string, message: RegExp) =>
    t.rejects(expandResets([text]), { code: 'ERR_OPTION', message });
  await refused(
    `donor=${join(dir, 'gone-*.pth')}`,
    /--reset donor=.*gone-\*\.pth: it matches no file; look into /,
  );
  await refused(`interpolate=${join(dir, 'no', '*.pth')}@1`, /--reset interpolate=.*: .*no/);
});

t.test('a donor that several resets name is loaded once', async (t) => {
  const dir = t.testdir({});
  for (const step of [1, 2]) copyFileSync(fixture('bottleneck-donor.onnx'), join(dir, `step-${step}.onnx`));
  const model = await loadModel(fixture('bottleneck.onnx'));
  const resets = await parseResets([`interpolate=${join(dir, 'step-?.onnx')}@0,1`, 'prune=0.5,1'], model);
  t.strictSame(
    resets.map(({ label }) => label.replace(dir, '')),
    [
      ...[1, 2].flatMap((step) => [`interpolate=/step-${step}.onnx@0`, `interpolate=/step-${step}.onnx@1`]),
      ...['prune=0.5', 'prune=1'],
    ],
  );
  const donors = resets.flatMap((reset) => (reset.kind === 'interpolate' ? [reset.donor] : []));
  t.equal(donors[0], donors[1]);
  t.equal(donors[2], donors[3]);
  t.not(donors[0], donors[2]);
});
