import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { zip } from '../images/build-files.js';
import { dict, floats, op, pickle, safetensors, tensor, torchLegacy, torchZip } from './build-checkpoints.js';

/** What opening these bytes throws: one line that names the file. */
async function refusal(t: Test, bytes: Uint8Array): Promise<string> {
  const path = join(t.testdir(), 'file.pth');
  writeFileSync(path, bytes);
  const error = await openCheckpoint(path).then(
    async (checkpoint) => {
      await checkpoint.close();
      return undefined;
    },
    (thrown) => thrown,
  );
  t.equal(error?.code, 'ERR_WEIGHTS', String(error));
  t.ok(error?.message.startsWith(`${path}: `), error?.message);
  t.match(error?.message, /^[^\p{Cc}]+; [^\p{Cc}]+$/u, 'one line: what is wrong; what to do');
  return error?.message ?? '';
}

const marker = join(t.testdir(), 'executed');
const command = op.text(`touch ${marker}`);
const args = Buffer.concat([op.mark, command, op.tuple]);
const call = (module: string, name: string, given = args) =>
  Buffer.concat([op.global(module, name), given, op.reduce]);

/** Programs that would execute something in Python, and what names it. */
const malicious: [title: string, program: Uint8Array, name: string][] = [
  ['os.system', call('os', 'system'), 'os.system'],
  ['posix.system', call('posix', 'system'), 'posix.system'],
  ['builtins.eval', call('builtins', 'eval'), 'builtins.eval'],
  ['builtins.exec by the name of Python 2', call('__builtin__', 'exec'), '__builtin__.exec'],
  ['builtins.getattr', call('builtins', 'getattr'), 'builtins.getattr'],
  ['subprocess.Popen', call('subprocess', 'Popen'), 'subprocess.Popen'],
  ['runpy', call('runpy', '_run_code'), 'runpy._run_code'],
  ['functools.partial', call('functools', 'partial'), 'functools.partial'],
  ['operator.attrgetter', call('operator', 'attrgetter'), 'operator.attrgetter'],
  ['a load within the load', call('torch.storage', '_load_from_bytes'), 'torch.storage._load_from_bytes'],
  ['torch.load', call('torch', 'load'), 'torch.load'],
  [
    "a known name's attribute",
    call('collections', 'OrderedDict.__reduce_ex__'),
    'collections.OrderedDict.__reduce_ex__',
  ],
  [
    'names put together from strings (STACK_GLOBAL)',
    Buffer.concat([op.text('os'), op.text('system'), op.stackGlobal, args, op.reduce]),
    'os.system',
  ],
  [
    'names that the memo hands over',
    Buffer.concat([
      ...[op.text('os'), op.put(1), op.text('system'), op.put(2), op.get(1), op.get(2)],
      ...[op.stackGlobal, args, op.reduce],
    ]),
    'os.system',
  ],
  ['INST', Buffer.concat([op.mark, command, op.instance('os', 'system')]), 'os.system'],
  ['NEWOBJ', Buffer.concat([op.global('subprocess', 'Popen'), args, op.newObject]), 'subprocess.Popen'],
  [
    'numpy reconstruct with code as the class',
    call(
      'numpy.core.multiarray',
      '_reconstruct',
      Buffer.concat([op.mark, op.global('os', 'system'), args, op.text('b'), op.tuple]),
    ),
    'os.system',
  ],
  [
    'code in the state of a NumPy array',
    Buffer.concat([
      call(
        'numpy._core.multiarray',
        '_reconstruct',
        Buffer.concat([
          op.mark,
          op.global('numpy', 'ndarray'),
          op.mark,
          op.int(0),
          op.tuple,
          op.text('b'),
          op.tuple,
        ]),
      ),
      ...[op.mark, call('os', 'system'), op.tuple, op.build],
    ]),
    'os.system',
  ],
  [
    'code in the arguments of a tensor',
    call('torch._utils', '_rebuild_tensor_v2', Buffer.concat([op.mark, call('os', 'system'), op.tuple])),
    'os.system',
  ],
  [
    "code in a tensor's storage",
    Buffer.concat([op.mark, op.text('storage'), call('os', 'system'), op.tuple, op.persistentId]),
    'os.system',
  ],
  [
    'code beside the tensors, in the arguments of training',
    dict({
      state_dict: dict({ weight: tensor() }),
      args: Buffer.concat([
        ...[op.global('argparse', 'Namespace'), op.emptyTuple, op.newObject],
        ...[dict({ lr: call('os', 'system') }), op.build],
      ]),
    }),
    'os.system',
  ],
];
for (const [title, program, name] of malicious) {
  t.test(`${title} is refused by name, and nothing runs`, async (t) => {
    for (const bytes of [torchZip(pickle(program)), torchLegacy(pickle(program))]) {
      const message = await refusal(t, bytes);
      t.match(message, `"${name}"`);
      t.match(message, 'nothing was executed');
    }
    t.notOk(existsSync(marker));
  });
}

/** Names of functions and classes that critmap does not know, called with a command, as values beside the weights. */
const inert: [title: string, program: Uint8Array][] = [
  ...malicious
    .filter(([, , name]) => !/os|posix|eval|exec|subprocess|runpy/.test(name))
    .map(([title, program]) => [title, program] as [string, Uint8Array]),
  [
    'a class of the authors',
    Buffer.concat([call('train.config', 'Config'), dict({ lr: op.int(1) }), op.build]),
  ],
  ['what an unknown function gave, called', Buffer.concat([call('builtins', 'getattr'), args, op.reduce])],
  [
    'a class made by dill, and an object of it',
    Buffer.concat([call('dill._dill', '_create_type'), op.emptyTuple, op.newObject]),
  ],
  [
    'an unknown list and dict',
    Buffer.concat([
      call('mine', 'L'),
      op.mark,
      op.int(1),
      op.appends,
      op.mark,
      op.text('a'),
      op.int(1),
      op.setItems,
    ]),
  ],
];
for (const [title, program] of inert) {
  t.test(`${title}: inert beside the weights, and nothing runs`, async (t) => {
    const whole = dict({ args: program, state_dict: dict({ weight: tensor() }) });
    for (const bytes of [torchZip(pickle(whole)), torchLegacy(pickle(whole))]) {
      const path = join(t.testdir(), 'file.pth');
      writeFileSync(path, bytes);
      const checkpoint = await openCheckpoint(path);
      t.strictSame(
        checkpoint.tables.map((table) => [table.path, [...table.tensors.keys()]]),
        [[['state_dict'], ['weight']]],
      );
      t.equal(checkpoint.hidden, undefined);
      await checkpoint.close();
    }
    t.notOk(existsSync(marker));
  });
}

t.test('weights that pass through an unknown name are refused by it, others are read', async (t) => {
  const wrapped = Buffer.concat([op.global('mine', 'wrap'), op.mark, tensor(), op.tuple, op.reduce]);
  const attributes = Buffer.concat([
    call('mine', 'Net'),
    dict({ _parameters: dict({ weight: tensor() }) }),
    op.build,
  ]);
  for (const [program, name] of [
    [wrapped, 'mine.wrap'],
    [attributes, 'mine.Net'],
  ] as const) {
    const message = await refusal(t, torchZip(pickle(dict({ state_dict: dict({ weight: program }) }))));
    t.match(
      message,
      new RegExp(`inside of "${name}", which only its own code could read; nothing was executed`),
    );
    const path = join(t.testdir(), 'beside.pth');
    writeFileSync(path, torchZip(pickle(dict({ ema: program, model: dict({ weight: tensor() }) }))));
    const checkpoint = await openCheckpoint(path);
    t.strictSame(checkpoint.hidden, [{ path: ['ema'], name }]);
    t.equal(checkpoint.tables.length, 1);
    await checkpoint.close();
  }
  const loaded = Buffer.concat([
    op.global('torch._utils', '_rebuild_parameter'),
    op.mark,
    wrapped,
    op.tuple,
    op.reduce,
  ]);
  t.match(await refusal(t, torchZip(pickle(dict({ weight: loaded })))), '"mine.wrap"');
});

t.test('unknown names nested without end are passed over', async (t) => {
  const nested = Buffer.concat([
    ...Array.from({ length: 20_000 }, () => Buffer.concat([op.global('a', 'B'), op.mark])),
    tensor(),
    ...Array.from({ length: 20_000 }, () => Buffer.concat([op.tuple, op.reduce])),
  ]);
  const path = join(t.testdir(), 'deep.pth');
  writeFileSync(path, torchZip(pickle(dict({ args: nested, model: dict({ weight: tensor() }) }))));
  const checkpoint = await openCheckpoint(path);
  t.strictSame(checkpoint.hidden, [{ path: ['args'], name: 'a.B' }]);
  await checkpoint.close();
});

t.test('code in the pickles before the object of a legacy file is refused', async (t) => {
  const whole = torchLegacy(pickle(op.none));
  const at = whole.indexOf(pickle(op.emptyDict));
  const bytes = Buffer.concat([whole.subarray(0, at), pickle(call('os', 'system')), whole.subarray(at)]);
  t.match(await refusal(t, bytes), '"os.system"');
});

t.test('a model saved as an object is refused with the way out', async (t) => {
  const program = Buffer.concat([
    op.global('torchvision.models.resnet', 'ResNet'),
    op.emptyTuple,
    op.newObject,
  ]);
  const message = await refusal(t, torchZip(pickle(program)));
  t.match(message, /"torchvision\.models\.resnet\.ResNet".*save model\.state_dict\(\)/);
});

t.test('names are printed on one line and not for ever', async (t) => {
  const message = await refusal(
    t,
    torchZip(pickle(op.text(`\n\u001b[2Jos${'o'.repeat(5000)}`), op.text('x'), op.stackGlobal)),
  );
  t.ok(message.length < 600);
});

const good = torchZip(pickle(dict({ weight: tensor() })));
const described = { weight: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } };
const one = (words: object) => torchZip(pickle(dict({ weight: tensor(words) })));
const wrong: [title: string, bytes: Uint8Array, message: RegExp][] = [
  ['an empty file', Buffer.alloc(0), /is empty/],
  [
    'a text',
    Buffer.from('weights\n'.repeat(20)),
    /is no checkpoint that critmap reads; give one of torch\.save/,
  ],
  ['a web page', Buffer.from('<!DOCTYPE html><html>'), /is a web page/],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
  ['a plain pickle', pickle(op.none), /is a plain pickle/],
  ['a .npz', zip([{ name: 'a.npy', data: floats(1) }]), /is a NumPy \.npz/],
  [
    'a zip file of a checkpoint',
    zip([{ name: 'a.pth', data: floats(1) }]),
    /unpack it and give "a\.pth" of it/,
  ],
  [
    'TorchScript',
    torchZip(pickle(op.none), {}, [{ name: 'a/constants.pkl', data: floats(1) }]),
    /is TorchScript/,
  ],
  [
    'a big-endian file',
    torchZip(pickle(op.none), {}, [{ name: 'a/byteorder', data: Buffer.from('big') }]),
    /big-endian/,
  ],
  ['a zip file without its end', good.subarray(0, -10), /is a zip file that is cut off or damaged/],
  ['a pickle without its end', torchZip(pickle(op.none).subarray(0, -1)), /its pickle ends too early/],
  [
    'an unknown operation',
    torchZip(pickle(Buffer.of(0xff))),
    /its pickle is damaged \(byte 2 is no operation\)/,
  ],
  ['an empty stack', torchZip(pickle()), /the stack is empty/],
  ['a memo entry that is missing', torchZip(pickle(op.get(7))), /entry 7 of the memo is missing/],
  ['a storage that is missing', one({ key: '9' }), /the storage "9" is missing/],
  ['a storage that is too short', one({ count: 5 }), /"0" should have 20 bytes and has 16/],
  ['a storage of an unknown class', one({ kind: 'float32' }), /a storage of an unknown class/],
  ['a tensor past its storage', one({ offset: 1 }), /a tensor reaches to byte 20 of a storage of 16/],
  ['a tensor past it by its strides', one({ shape: [2], strides: [4] }), /reaches to byte 20/],
  ['a negative stride', one({ strides: [-1] }), /impossible shape, stride or offset/],
  ['a negative shape', one({ shape: [-4] }), /impossible shape/],
  ['a shape without strides', one({ strides: [] }), /impossible shape/],
  [
    'a type that is no type',
    torchZip(pickle(op.int(1), op.emptyTuple, op.reduce)),
    /calls what is not a name/,
  ],
  [
    'an encrypted entry',
    zip([{ name: 'a/data.pkl', data: pickle(op.none), flags: 1, method: 'deflated' }]),
    /is encrypted/,
  ],
  [
    'an entry of another compression',
    zip([{ name: 'a/data.pkl', data: pickle(op.none), method: 12 }]),
    /method 12/,
  ],
  [
    'an entry that would inflate to a gigabyte',
    zip([{ name: 'a/data.pkl', data: pickle(op.none), method: 'deflated', declaredBytes: 2 ** 30 }]),
    /beside its tensors|would inflate/,
  ],
  [
    'an entry that is longer than it says',
    zip([{ name: 'a/data.pkl', data: Buffer.alloc(1000), method: 'deflated', declaredBytes: 10 }]),
    /it is longer than it says/,
  ],
  [
    'a legacy file that is cut off',
    torchLegacy(pickle(dict({ w: tensor() }))).subarray(0, -1),
    /cut off or damaged/,
  ],
  [
    'a legacy file of another version',
    torchLegacy(pickle(op.none)).fill(9, 18, 19),
    /its pickle is damaged \(version/,
  ],
  [
    'a legacy storage of another length',
    torchLegacy(pickle(dict({ w: tensor() })), { 0: floats(1, 2, 3) }),
    /has 3 elements, not 4/,
  ],
  [
    'a legacy storage that is missing',
    torchLegacy(pickle(dict({ w: tensor() })), {}),
    /the storage "0" is missing/,
  ],
  ['a tensor cut off', safetensors(described, floats(1)), /ends 4 bytes too early/],
  ['bytes of no tensor', safetensors(described, floats(1, 2, 3)), /overlap or leave bytes out/],
  ['a header that is cut off', safetensors(described).subarray(0, 30), /cut off/],
  ['a header that is not JSON', safetensors('{"a":'), /a header that is not JSON/],
  ['an endless header', Buffer.from('ffffffffffff00007b', 'hex'), /has a header of \d+ bytes/],
  [
    'a header of a million empty lists',
    safetensors(`{"a":[${'[],'.repeat(2 ** 20)}0]}`),
    /has more than 30000 tensors/,
  ],
  [
    'a header of 200000 names',
    safetensors(`{${'"a":0,'.repeat(200_000)}"b":0}`),
    /has more than 30000 tensors/,
  ],
  ['a tensor without shape', safetensors({ a: { dtype: 'F32' } }), /"a" is not described as it should be/],
  [
    'an unknown type',
    safetensors({ a: { ...described.weight, dtype: 'X7' } }, floats(1, 2)),
    /unknown type "X7"/,
  ],
  [
    'a shape that does not fill its bytes',
    safetensors({ a: { ...described.weight, shape: [3] } }, floats(1, 2)),
    /"3" of float32 in 8 bytes/,
  ],
  [
    'tensors that overlap',
    safetensors(
      { a: described.weight, b: { dtype: 'F32', shape: [2], data_offsets: [4, 12] } },
      floats(1, 2, 3),
    ),
    /overlap or leave bytes out/,
  ],
];
for (const [title, bytes, message] of wrong) {
  t.test(`${title} is refused`, async (t) => {
    t.match(await refusal(t, bytes), message);
  });
}

t.test('a file that is missing or a folder is refused', async (t) => {
  const dir = t.testdir({ folder: {} });
  await t.rejects(openCheckpoint(join(dir, 'gone.pth')), {
    code: 'ERR_WEIGHTS',
    message: /gone\.pth: does not exist; check the path/,
  });
  await t.rejects(openCheckpoint(join(dir, 'folder')), { message: /is a folder; give the checkpoint/ });
});

t.test('millions of objects in a small pickle are refused before they fill the memory', async (t) => {
  const before = process.memoryUsage().rss;
  const message = await refusal(t, torchZip(pickle(Buffer.alloc(4 * 2 ** 20, op.emptyDict))));
  t.match(message, /more objects than a checkpoint of its size can need/);
  t.ok(process.memoryUsage().rss - before < 104 * 2 ** 20);
});

t.test(
  'a named pipe that nobody writes to is refused at once',
  { skip: process.platform === 'win32' },
  async (t) => {
    const pipe = join(t.testdir({}), 'pipe.pth');
    execFileSync('mkfifo', [pipe]);
    await t.rejects(openCheckpoint(pipe), { code: 'ERR_WEIGHTS', message: /is not a regular file; save it/ });
  },
);

t.test('records that are nested without end are passed over', async (t) => {
  const namespace = Buffer.concat([op.global('argparse', 'Namespace'), op.emptyTuple, op.newObject]);
  const depth = 50_000;
  const nested = Buffer.concat([
    ...Array.from({ length: depth }, () => namespace),
    op.none,
    ...Array.from({ length: depth }, () => op.build),
  ]);
  const path = join(t.testdir(), 'deep.pth');
  writeFileSync(path, torchZip(pickle(dict({ args: nested, model: dict({ weight: tensor() }) }))));
  const checkpoint = await openCheckpoint(path);
  t.strictSame(
    checkpoint.tables.map(({ path }) => path),
    [['model']],
  );
  await checkpoint.close();
});

t.test('a list nested without end in place of a number is refused', async (t) => {
  const nested = Buffer.concat([
    Buffer.alloc(50_000, op.emptyList),
    ...Array.from({ length: 49_999 }, () => Buffer.from('a')),
  ]);
  const magic = torchLegacy(pickle(op.none)).subarray(0, 15);
  t.match(await refusal(t, Buffer.concat([magic, pickle(nested)])), /its pickle is damaged \(version/);
});

t.test('objects of bytes and tensors of many dimensions count for what they take', async (t) => {
  const more = /more objects than a checkpoint of its size can need/;
  // Five bytes of the file each, 300 in memory.
  const empty = Buffer.from('C\0', 'latin1');
  t.match(await refusal(t, torchZip(pickle(Buffer.alloc(2 ** 19, empty)))), more);
  // The same 64 dimensions again and again.
  const ones = Buffer.concat([op.mark, ...Array.from({ length: 64 }, () => op.int(1)), Buffer.from('t')]);
  const storage = Buffer.concat([
    ...[op.mark, op.text('storage'), op.global('torch', 'FloatStorage'), op.text('0'), op.text('cpu')],
    ...[op.int(4), Buffer.from('t'), op.persistentId],
  ]);
  const build = op.global('torch._utils', '_rebuild_tensor_v2');
  const one = Buffer.concat([
    ...[op.get(1), op.mark, op.get(2), op.int(0), op.get(3), op.get(3), op.false, op.none],
    ...[Buffer.from('t'), op.reduce],
  ]);
  const many = pickle(
    ...[build, op.put(1), storage, op.put(2), ones, op.put(3)],
    ...Array.from({ length: 25_000 }, () => one),
  );
  t.match(await refusal(t, torchZip(many)), more);
});
