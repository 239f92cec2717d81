/** Where another machine looks for the files that a sweep's words name. */
import { join } from 'node:path';
import t from 'tap';
import { localWords } from '../../src/request/local-words.js';
import { withPaths } from '../../src/request/sweep-paths.js';

t.test('places in checkpoints and the shares of donors go along with their files', async (t) => {
  const models = t.testdir({ 'a.pth': '', deep: { 'b.pth': '' } });
  const words = {
    data: 'synthetic:8',
    imageChoices: {},
    sweepChoices: {},
    weights: ['/there/a.pth#ema'],
    resets: [
      'donor=/there/a.pth',
      'donor=/there/a.pth#ema',
      'interpolate=/there/deep/b.pth#state_dict.ema@0.5',
      'interpolate=/there/deep/b.pth@0.5',
      'noise=0.5',
    ],
  };
  const { weights, resets } = localWords(words, { models, data: models });
  const whole = withPaths(words, { model: (path) => `/here${path}`, data: (path) => path });
  t.equal(whole.resets?.[2], 'interpolate=/here/there/deep/b.pth#state_dict.ema@0.5');
  const [a, b] = [join(models, 'a.pth'), join(models, 'deep', 'b.pth')];
  t.strictSame(weights, [`${a}#ema`]);
  t.strictSame(resets, [
    `donor=${a}`,
    `donor=${a}#ema`,
    `interpolate=${b}#state_dict.ema@0.5`,
    `interpolate=${b}@0.5`,
    'noise=0.5',
  ]);
});
