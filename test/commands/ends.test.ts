import { join } from 'node:path';
import t from 'tap';
import { fixture } from '../fixtures.js';
import { critmap, summaryIn } from './critmap.js';

const several = fixture('exports/several.onnx');

t.test('inspect takes the images and logits that are named', async (t) => {
  const { code, stdout } = await critmap(
    'inspect',
    several,
    '--input',
    'pixels',
    '--output',
    'scaled',
    '--json',
  );
  t.equal(code, 0);
  const { input, output, warnings } = JSON.parse(stdout);
  t.equal(input.name, 'pixels');
  t.strictSame([output.name, output.classes], ['scaled', 5]);
  t.match(warnings, [
    /fc \(Gemm\); what is compared does not depend on it/,
    /its input temperature gets zeros/,
  ]);
});

t.test('sweep refuses a model of several inputs in one line, and takes the one that is named', async (t) => {
  const out = join(t.testdir({}), 'run');
  const sweep = ['sweep', several, '--data', 'synthetic:8', '--trials', '1', '--out', out, '--quiet'];
  const refused = await critmap(...sweep);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /takes 2 inputs .*--input/);
  t.equal(refused.stderr.trim().split('\n').length, 1);

  const asked = ['--layers', 'conv', '--reset', 'zero', '--json'];
  const { code, stdout, stderr } = await critmap(...sweep, '--input', 'pixels', ...asked);
  t.equal(code, 0, stderr);
  t.strictSame(
    summaryIn(stdout).layers.map(({ layer }) => layer),
    ['conv'],
  );
  const other = await critmap(...sweep, '--input', 'pixels', '--output', 'features', ...asked);
  t.equal(other.code, 1, 'another output is another run');
  t.match(other.stderr, /holds another run \(output "logits", now "features"\)/);
});
