import t from 'tap';
import { memoryRange } from '../../../src/images/sources/byte-range.js';
import { type NpyHeader, readNpyHeader } from '../../../src/images/sources/npy.js';
import { npy } from '../build-files.js';

const header = (bytes: Buffer): Promise<NpyHeader> => readNpyHeader(memoryRange(bytes, 'a.npy'));
const withDict = (dict: string) => npy('', [], Buffer.alloc(6), { header: dict });

t.test('versions 1.0, 2.0 and 3.0 are read', async (t) => {
  for (const version of [1, 2, 3]) {
    const bytes = npy('|u1', [2, 3], Buffer.alloc(6), { version });
    t.same(await header(bytes), {
      dtype: 'uint8',
      itemBytes: 1,
      shape: [2, 3],
      dataStart: bytes.length - 6,
      dataBytes: 6,
    });
  }
});

t.test('a header that numpy 2.4 wrote is read', async (t) => {
  // numpy.save of numpy.arange(3, dtype='<f4'), first 128 bytes.
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }`;
  const bytes = Buffer.concat([
    Buffer.from('934e554d505901007600', 'hex'),
    Buffer.from(`${text.padEnd(117)}\n`),
    Buffer.alloc(12),
  ]);
  t.match(await header(bytes), { dtype: 'float32', shape: [3], dataStart: 128, dataBytes: 12 });
});

t.test('dimensions may be none, one, or zero long', async (t) => {
  t.match(await header(npy('<f8', [], Buffer.alloc(8))), { shape: [], dataBytes: 8 });
  t.match(await header(npy('<i8', [2], Buffer.alloc(16))), { shape: [2], dtype: 'int64' });
  t.match(await header(npy('|u1', [0, 28, 28], Buffer.alloc(0))), { shape: [0, 28, 28], dataBytes: 0 });
});

t.test('other spellings of the same Python dict are read', async (t) => {
  t.match(await header(withDict(`{"shape":(2,3),"descr":"|u1","fortran_order":False}`)), { shape: [2, 3] });
  t.match(await header(withDict(`{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L), }`)), {
    shape: [2, 3],
  });
});

const refused: [title: string, bytes: Buffer, message: RegExp][] = [
  ['not an npy file', Buffer.from('plain text, no array'), /^a\.npy: is not a \.npy array; save it again/],
  ['an empty file', Buffer.alloc(0), /is not a \.npy array/],
  ['a future version', npy('|u1', [1], Buffer.alloc(1), { version: 4 }), /version 4\.0/],
  ['big-endian numbers', npy('>f4', [1], Buffer.alloc(4)), /big-endian \(>f4\); save .*newbyteorder/],
  [
    'Fortran order',
    npy('<f4', [2, 2], Buffer.alloc(16), { fortran: true }),
    /Fortran order; save numpy\.asc/,
  ],
  ['Python objects', npy('|O', [1], Buffer.alloc(8)), /Python objects, which are never loaded/],
  ['complex numbers', npy('<c8', [1], Buffer.alloc(8)), /unsupported dtype "<c8"/],
  ['native byte order', npy('=f4', [1], Buffer.alloc(4)), /unsupported dtype/],
  ['a dtype named as an object member', npy('|constructor', [1], Buffer.alloc(8)), /unsupported dtype/],
  [
    'a structured dtype',
    withDict(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }`),
    /records/,
  ],
  ['a negative size', npy('|u1', [-1, 3], Buffer.alloc(0)), /impossible shape \(-1, 3\)/],
  ['a size beyond 2^53', npy('|u1', [9e15, 9e15], Buffer.alloc(0)), /impossible shape/],
  ['33 dimensions', npy('|u1', new Array(33).fill(1), Buffer.alloc(1)), /impossible shape/],
  [
    'a number for a shape',
    withDict(`{'descr': '|u1', 'fortran_order': False, 'shape': (6), }`),
    /impossible shape/,
  ],
  ['a missing entry', withDict(`{'descr': '|u1', 'shape': (6,), }`), /without just descr/],
  [
    'a surplus entry',
    withDict(`{'descr': '|u1', 'fortran_order': False, 'shape': (6,), 'x': 'y'}`),
    /without just/,
  ],
  [
    'a call instead of a value',
    withDict(`{'descr': __import__('os'), 'shape': (6,)}`),
    /not the one NumPy writes/,
  ],
  [
    'a header without an end',
    withDict(`{'descr': '|u1', 'fortran_order': False, 'shape': (6,),`),
    /not the one/,
  ],
  [
    'text after the dict',
    withDict(`{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} or 1`),
    /not the one/,
  ],
  [
    'missing data',
    npy('<f4', [2, 3], Buffer.alloc(23)),
    /truncated \(shape \(2, 3\) of float32 is 24 .* are 23\)/,
  ],
  ['surplus data', npy('<f4', [2, 3], Buffer.alloc(25)), /longer than its header says/],
  ['a header beyond the file', npy('|u1', [1], Buffer.alloc(1)).subarray(0, 40), /damaged header/],
];

for (const [title, bytes, message] of refused) {
  t.test(`${title} is refused`, async (t) => {
    await t.rejects(header(bytes), { name: 'CritmapError', code: 'ERR_IMAGES', message });
  });
}

t.test('a hostile header takes no time', async (t) => {
  const started = performance.now();
  for (const unit of ["'a", "'a':", '(', "'a':'b',", ' ', '{']) {
    await t.rejects(header(withDict(`{${unit.repeat(60000 / unit.length)}`)));
  }
  t.ok(performance.now() - started < 1000);
});
