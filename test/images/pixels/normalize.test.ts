import t from 'tap';
import { normalize, normalizeTable } from '../../../src/images/pixels/normalize.js';

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

t.test('every value of every channel is (v / 255 - mean) / std, rounded once', async (t) => {
  const table = normalizeTable(MEAN, STD);
  for (let channel = 0; channel < 3; channel++) {
    for (let value = 0; value < 256; value++) {
      const exact = (value / 255 - MEAN[channel]!) / STD[channel]!;
      if (table[channel * 256 + value] !== Math.fround(exact)) t.fail(`channel ${channel} value ${value}`);
    }
  }
  // torchvision: Normalize(mean, std)(ToTensor()(black)) = -2.1179, -2.0357, -1.8044
  t.same(
    [0, 256, 512].map((at) => table[at]!.toFixed(4)),
    ['-2.1179', '-2.0357', '-1.8044'],
  );
});

t.test('interleaved pixels become planes, from the start given', async (t) => {
  const out = new Float32Array(14);
  const data = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const table = normalizeTable([0, 0, 0], [1 / 255, 1 / 255, 1 / 255]);
  normalize({ data, height: 2, width: 2, channels: 3 }, table, out, 1);
  t.same([...out].map(Math.round), [0, 1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12, 0]);
});
