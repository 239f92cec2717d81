/**
 * Models as people export them, built by hand: what is compared of each equals what ONNX Runtime gives of the file
 * itself, or what the same network gives without the wrapping.
 */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { describe } from '../../src/commands/inspect-model.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { sessionOf } from '../../src/onnx/file.js';
import type { Node, Tensor as Stored } from '../../src/onnx/onnx_pb.js';
import { close, enginesAgree } from './engines-agree.js';
import { longs, node, value, weight, writeGraph } from './graphs.js';

const COUNT = 3;
/** Three images of 2 x 8 x 8. */
const images = Float32Array.from({ length: COUNT * 128 }, (_, i) => Math.sin(i * i));

type Run = { dims: readonly number[]; data: number[] };

async function run(path: string | Uint8Array, input: string, output: string, feed: Tensor): Promise<Run> {
  const session = await InferenceSession.create(path as string, { logSeverityLevel: 3 });
  const { [output]: found } = await session.run({ [input]: feed }, [output]);
  await session.release();
  return { dims: found!.dims, data: Array.from(found!.data as Float32Array) };
}

/** What critmap compares. */
const comparedBy = ({ file, io }: Model, data = images, count = COUNT): Promise<Run> =>
  run(
    sessionOf(file).bytes,
    io.input,
    io.output,
    new Tensor('float32', data, [count, io.channels, data.length / count / io.channels / 8, 8]),
  );

const rows = ({ dims, data }: Run) =>
  Array.from({ length: dims[0]! }, (_, i) => data.slice(i * dims[1]!, (i + 1) * dims[1]!));
const softmax = (row: readonly number[]) => {
  const exponentials = row.map((one) => Math.exp(one - Math.max(...row)));
  return exponentials.map((one) => one / exponentials.reduce((sum, other) => sum + other));
};

interface Ending {
  nodes?: Node[];
  stored?: Stored[];
  outputs: [name: string, shape: (number | null)[]][];
  classes?: number;
}

/** A convolution, pooling and a 1x1 convolution that makes `z`, N x classes x 1 x 1, flattened to `flat`. */
function write(path: string, { nodes = [], stored = [], outputs, classes = 3 }: Ending): string {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
      node('Relu', ['c'], 'r'),
      node('GlobalAveragePool', ['r'], 'g'),
      node('Conv', ['g', 'head.weight', 'head.bias'], 'z', { kernel_shape: [1, 1] }),
      node('Flatten', ['z'], 'flat'),
      ...nodes,
    ],
    initializer: [
      weight('conv.weight', [5, 2, 3, 3], -40),
      weight('head.weight', [classes, 5, 1, 1], -7),
      weight('head.bias', [classes], 2),
      ...stored,
    ],
    input: [value('images', [null, 2, 8, 8])],
    output: outputs.map(([name, shape]) => value(name, shape)),
  });
  return path;
}

async function plainLogits(folder: string, classes = 3): Promise<Run> {
  const path = write(join(folder, 'plain.onnx'), { outputs: [['flat', [null, classes]]], classes });
  return run(path, 'images', 'flat', new Tensor('float32', images, [COUNT, 2, 8, 8]));
}

const axis = (is: number) => ({ axis: is });

t.test('softmaxes over parts of the classes stay, and are named', async (t) => {
  const folder = t.testdir({});
  for (const along of [1, 2, -1]) {
    const path = write(join(folder, 'parts.onnx'), {
      nodes: [
        node('Reshape', ['flat', 'parts'], 'split'),
        node('Softmax', ['split'], 's', axis(along)),
        node('Reshape', ['s', 'whole'], 'p'),
      ],
      stored: [longs('parts', [-1, 2, 3]), longs('whole', [-1, 6])],
      outputs: [['p', [null, 6]]],
      classes: 6,
    });
    const model = await loadModel(path);
    const own = await run(path, 'images', 'p', new Tensor('float32', images, [COUNT, 2, 8, 8]));
    t.strictSame(await comparedBy(model), own, `axis ${along}`);
    t.match(model.warnings.join(), /several softmaxes side by side.*--output "split"/);
  }
});

t.test('a softmax at the end is taken off, whatever stands behind it', async (t) => {
  const folder = t.testdir({});
  const expected = await plainLogits(folder);
  const endings: Record<string, Ending & { of: string }> = {
    plain: { nodes: [node('Softmax', ['flat'], 'p', axis(1))], outputs: [['p', [null, 3]]], of: 'flat' },
    'of the last axis': {
      nodes: [node('Softmax', ['flat'], 'p', axis(-1))],
      outputs: [['p', [null, 3]]],
      of: 'flat',
    },
    'with an Identity': {
      nodes: [node('Softmax', ['flat'], 's', axis(1)), node('Identity', ['s'], 'p')],
      outputs: [['p', [null, 3]]],
      of: 'flat',
    },
    'of N x C x 1 x 1': {
      nodes: [node('Softmax', ['z'], 'p', axis(1))],
      outputs: [['p', [null, 3, 1, 1]]],
      of: 'z',
    },
    'flattened after it': {
      nodes: [node('Softmax', ['z'], 's', axis(1)), node('Flatten', ['s'], 'p')],
      outputs: [['p', [null, 3]]],
      of: 'z',
    },
    'reshaped and clipped after it': {
      nodes: [
        node('Softmax', ['z'], 's', axis(1)),
        node('Reshape', ['s', 'shape'], 'u'),
        node('Clip', ['u', 'low', 'high'], 'p'),
      ],
      stored: [
        longs('shape', [-1, 3]),
        { ...weight('low', []), rawData: new Uint8Array(4) },
        { ...weight('high', []), rawData: new Uint8Array(Float32Array.of(1).buffer) },
      ],
      outputs: [['p', [null, 3]]],
      of: 'z',
    },
  };
  for (const [name, ending] of Object.entries(endings)) {
    const model = await loadModel(write(join(folder, 'm.onnx'), ending));
    const found = await comparedBy(model);
    t.strictSame(found.dims, [COUNT, 3], name);
    close(t, found.data, expected.data, name);
    t.match(model.warnings, [
      new RegExp(`m\\.onnx: its output p is a softmax; what that is of, ${ending.of}, is`),
    ]);
    t.match(describe(model).output, { name: 'p', classes: 3, compared: ending.of });
    t.equal(model.layers.length, 2);
  }
});

t.test('a softmax over another axis stays, and so does a LogSoftmax', async (t) => {
  const folder = t.testdir({});
  const [first] = rows(await plainLogits(folder));
  const ending: Ending = {
    nodes: [node('LogSoftmax', ['flat'], 'p', axis(1))],
    outputs: [['p', [null, 3]]],
  };
  const model = await loadModel(write(join(folder, 'm.onnx'), ending));
  const [found] = rows(await comparedBy(model));
  close(t, softmax(found!), softmax(first!), 'its softmax is that of the logits');
  t.strictSame(model.warnings, []);
  const other: Ending = {
    nodes: [node('Softmax', ['flat'], 'p', axis(0))],
    outputs: [['p', [null, 3]]],
  };
  const kept = await loadModel(write(join(folder, 'm.onnx'), other));
  t.equal(kept.io.output, 'p');
});

t.test('logits with axes of one are flattened', async (t) => {
  const folder = t.testdir({});
  const expected = await plainLogits(folder);
  for (const shape of [
    [null, 3, 1, 1],
    [COUNT, 3, 1, 1],
  ]) {
    const model = await loadModel(write(join(folder, 'm.onnx'), { outputs: [['z', shape]] }));
    const found = await comparedBy(model);
    t.strictSame(found.dims, [COUNT, 3]);
    t.strictSame(found.data, expected.data);
    t.strictSame([model.io.classes, describe(model).output.name], [3, 'z']);
  }
});

t.test('of two outputs of logits it is said which is compared', async (t) => {
  const folder = t.testdir({});
  const ending: Ending = {
    nodes: [node('Gemm', ['flat', 'more.weight'], 'more', { transB: 1 })],
    stored: [weight('more.weight', [3, 3])],
    outputs: [
      ['flat', [null, 3]],
      ['more', [null, 3]],
      ['r', [null, 5, 6, 6]],
    ],
  };
  const path = write(join(folder, 'm.onnx'), ending);
  const model = await loadModel(path);
  t.equal(model.io.output, 'more');
  t.match(model.warnings, [
    /more, flat could each be its logits; more is compared, to which most layers lead \(--output/,
  ]);
  const named = await loadModel(path, { output: 'flat' });
  t.equal(named.io.output, 'flat');
  t.equal(named.warnings.length, 1, 'nothing to guess');
  t.match(named.warnings[0], /left out: more \(Gemm\); what is compared does not depend on it/);
});

t.test('probabilities that no softmax of the graph gives are compared by their logarithm', async (t) => {
  const folder = t.testdir({});
  const one = { ...weight('one', []), rawData: new Uint8Array(Float32Array.of(1).buffer) };
  const endings: Record<string, Ending> = {
    'a softmax written by hand': {
      nodes: [
        node('Exp', ['flat'], 'e'),
        node('ReduceSum', ['e', 'axes'], 'sum', { keepdims: 1 }),
        node('Div', ['e', 'sum'], 'p'),
      ],
      stored: [longs('axes', [1])],
      outputs: [['p', [null, 3]]],
    },
    'two softmaxes averaged': {
      nodes: [
        node('Neg', ['flat'], 'n'),
        node('Softmax', ['flat'], 's1', axis(1)),
        node('Softmax', ['n'], 's2', axis(1)),
        node('Mean', ['s1', 's2'], 'p'),
      ],
      outputs: [['p', [null, 3]]],
    },
    'a pair of sigmoids': {
      nodes: [
        node('Sigmoid', ['flat'], 's'),
        node('Sub', ['one', 's'], 'rest'),
        node('Concat', ['rest', 's'], 'p', axis(1)),
      ],
      stored: [one],
      outputs: [['p', [null, 2]]],
      classes: 1,
    },
  };
  for (const [name, ending] of Object.entries(endings)) {
    const path = write(join(folder, 'm.onnx'), ending);
    const given = rows(await run(path, 'images', 'p', new Tensor('float32', images, [COUNT, 2, 8, 8])));
    const model = await loadModel(path);
    const found = rows(await comparedBy(model));
    for (const [i, row] of found.entries()) {
      close(t, softmax(row), given[i]!, `${name}: the softmax of what is compared is the file's output`);
      close(t, row, given[i]!.map(Math.log), name);
    }
    t.match(model.warnings, [/its output p is probabilities, .* logarithm is compared/]);
  }
  const scores: Ending = {
    nodes: [node('Relu', ['flat'], 'p')],
    outputs: [['p', [null, 3]]],
  };
  const model = await loadModel(write(join(folder, 'm.onnx'), scores));
  t.strictSame([model.io.output, model.warnings], ['p', []], 'scores that are none stay');
});

t.test('probabilities of zero are numbers, and NaN stays NaN', async (t) => {
  const folder = t.testdir({});
  // Exp of large differences: the smaller probability is 0 in float32.
  const ending: Ending = {
    nodes: [
      node('Mul', ['flat', 'large'], 'l'),
      node('Softmax', ['l'], 's', axis(1)),
      node('Neg', ['s'], 'n'),
      node('Neg', ['n'], 'p'),
    ],
    stored: [{ ...weight('large', []), rawData: new Uint8Array(Float32Array.of(1e6).buffer) }],
    outputs: [['p', [null, 3]]],
  };
  const model = await loadModel(write(join(folder, 'm.onnx'), ending));
  t.match(model.warnings, [/logarithm/]);
  const { data } = await comparedBy(model);
  t.ok(data.every(Number.isFinite), data.join());
  t.ok(Math.min(...data) < -87);
  const broken = await comparedBy(
    model,
    images.map(() => Number.NaN),
  );
  t.ok(broken.data.every(Number.isNaN));
});

/** Images of 2 x 8 x 8 pixels, prepared inside: (x / 255 - 0.5) / 0.25. */
function pixelModel(path: string, last: boolean, sized: boolean, type: number): string {
  const scalar = (name: string, is: number): Stored => ({
    ...weight(name, []),
    rawData: new Uint8Array(Float32Array.of(is).buffer),
  });
  const [height, width] = sized ? [8, 8] : [null, null];
  writeGraph(path, {
    node: [
      node('Cast', ['pixels'], 'f', { to: 1 }),
      node('Mul', ['f', 'scale'], 'm'),
      node('Sub', ['m', 'shift'], 's'),
      ...(last ? [node('Transpose', ['s'], 'x', { perm: [0, 3, 1, 2] })] : [node('Identity', ['s'], 'x')]),
      node('Conv', ['x', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
      node('GlobalMaxPool', ['c'], 'g'),
      node('Flatten', ['g'], 'flat'),
      node('Gemm', ['flat', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      scalar('scale', 4 / 255),
      scalar('shift', 2),
      weight('conv.weight', [5, 3, 3, 3], -60),
      weight('fc.weight', [4, 5], -9),
    ],
    input: [value('pixels', last ? [null, height!, width!, 3] : [null, 3, height!, width!], type)],
    output: [value('logits', [null, 4])],
  });
  return path;
}

t.test('a model that takes pixels gets them as they are, channels first or last', async (t) => {
  const folder = t.testdir({});
  for (const [last, sized, type] of [
    [false, true, 2],
    [true, true, 2],
    [true, false, 2],
    [false, true, 6],
  ] as const) {
    const path = pixelModel(join(folder, 'm.onnx'), last, sized, type);
    const model = await loadModel(path);
    const input = modelInput(model, sized ? undefined : 8);
    t.match(input, { takesPixels: true, shape: { channels: 3, height: 8, width: 8 } });
    t.match(model.warnings, [/its input takes pixels from 0 to 255, which it gets as they are/]);
    const set = await openImages('synthetic:3', { ...input, images: COUNT });
    const given = new Float32Array(COUNT * 192);
    await set.read(0, COUNT, given);
    await set.close();
    t.ok(given.every((pixel) => Number.isInteger(pixel) && pixel >= 0 && pixel <= 255));
    t.ok(new Set(given).size > 50);
    const at = (i: number) => {
      const [image, y, x, c] = [Math.floor(i / 192), Math.floor(i / 24) % 8, Math.floor(i / 3) % 8, i % 3];
      return given[image * 192 + c * 64 + y * 8 + x]!;
    };
    const ordered = Array.from({ length: given.length }, (_, i) => (last ? at(i) : given[i]!));
    const dims = last ? [COUNT, 8, 8, 3] : [COUNT, 3, 8, 8];
    const feed =
      type === 2
        ? new Tensor('uint8', Uint8Array.from(ordered), dims)
        : new Tensor('int32', Int32Array.from(ordered), dims);
    const expected = await run(path, 'pixels', 'logits', feed);
    const found = await comparedBy(model, given);
    t.strictSame(found.data, expected.data, `channels ${last ? 'last' : 'first'}`);
    t.rejects(openImages('synthetic:3', { ...input, mean: [0, 0, 0], std: [1, 1, 1] }), {
      code: 'ERR_OPTION',
      message: /--mean and --std do not go with this model/,
    });
  }
});

t.test('a graph that fixes its batch inside runs image by image, on both engines', async (t) => {
  const folder = t.testdir({});
  const expected = await plainLogits(folder);
  for (const batch of [1, 2]) {
    const ending: Ending = {
      nodes: [{ ...node('Reshape', ['z', 'shape'], 'logits'), name: 'view' }],
      stored: [longs('shape', [batch, 3])],
      outputs: [['logits', [null, 3]]],
    };
    const model = await loadModel(write(join(folder, 'm.onnx'), ending));
    t.equal(model.io.batch, batch);
    const says = batch === 1 ? 'one image' : '2 images';
    t.match(model.warnings, [new RegExp(`its node view takes ${says} at a time whatever its input says`)]);
    await enginesAgree(t, model, images, expected.data);
  }
});

t.test('a graph that mixes the images of a batch gets them one by one', async (t) => {
  const ending: Ending = {
    nodes: [
      node('Reshape', ['flat', 'all'], 'a'),
      node('ReduceMean', ['a'], 'mean', { axes: [1], keepdims: 1 }),
      node('Mul', ['a', 'mean'], 'm'),
      node('Reshape', ['m', 'rows'], 'logits'),
    ],
    stored: [longs('all', [1, -1]), longs('rows', [-1, 3])],
    outputs: [['logits', [null, 3]]],
  };
  const path = write(join(t.testdir({}), 'm.onnx'), ending);
  const model = await loadModel(path);
  t.equal(model.io.batch, 1);
  const first = images.subarray(0, 128);
  const alone = await run(path, 'images', 'logits', new Tensor('float32', first, [1, 2, 8, 8]));
  await enginesAgree(t, model, images, alone.data);
});

t.test('Einsums that are Linears are layers, with the numbers of a Linear', async (t) => {
  const folder = t.testdir({});
  const equations: [equation: string, dims: number[], slot: 0 | 1, shape: number[], bias: number[]][] = [
    ['nc,dc->nd', [4, 5], 1, [4, 5], [4]],
    ['nc,cd->nd', [5, 4], 1, [4, 5], [4]],
    ['dc,nc->nd', [4, 5], 0, [4, 5], [4]],
    ['...c,dc->...d', [4, 5], 1, [4, 5], [4]],
    ['nc,chk->nhk', [5, 2, 2], 1, [2, 2, 5], [2, 2]],
  ];
  const reference = async () => {
    const path = join(folder, 'linear.onnx');
    writeEinsum(path, node('Gemm', ['flat', 'fc.weight', 'fc.bias'], 'e', { transB: 1 }), [4, 5], [4], false);
    return loadModel(path);
  };
  const linear = await reference();
  const expected = await comparedBy(linear);
  for (const [equation, dims, slot, shape, bias] of equations) {
    const path = join(folder, 'm.onnx');
    const inputs = slot === 0 ? ['fc.weight', 'flat'] : ['flat', 'fc.weight'];
    const einsum = node('Einsum', inputs, 'product', { equation });
    writeEinsum(path, einsum, dims, bias, true);
    const model = await loadModel(path);
    const [, layer] = model.layers;
    t.match(layer, { name: 'fc', op: 'Einsum', fanIn: 5, fanOut: 4, parameters: 24 }, equation);
    t.strictSame([layer?.weight.shape, layer?.bias?.stored], [shape, bias], equation);
    t.strictSame(model.warnings, []);
    const found = await comparedBy(model);
    close(t, found.data, expected.data, equation);
    await enginesAgree(t, model, images, expected.data);
  }
});

/** A Linear of 5 to 4 features: its weight is w[o][i] = (5 o + i - 9) / 64 however it is stored. */
function writeEinsum(path: string, made: Node, dims: number[], bias: number[], added: boolean): void {
  const stored = weight('fc.weight', dims);
  const inputsFirst = dims[0] === 5;
  const values = Float32Array.from({ length: 20 }, (_, at) => {
    const [o, i] = inputsFirst ? [at % 4, Math.floor(at / 4)] : [Math.floor(at / 5), at % 5];
    return (5 * o + i - 9) / 64;
  });
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
      node('GlobalMaxPool', ['c'], 'g'),
      node('Flatten', ['g'], 'flat'),
      made,
      ...(added ? [node('Add', ['product', 'fc.bias'], 'e')] : []),
      node('Flatten', ['e'], 'logits'),
    ],
    initializer: [
      weight('conv.weight', [5, 2, 3, 3], -40),
      { ...stored, rawData: new Uint8Array(values.buffer) },
      weight('fc.bias', bias, 3),
    ],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 4])],
  });
}

t.test('an Einsum of another kind is left out, and named', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  // Summed over an axis that nothing else has.
  writeEinsum(
    path,
    node('Einsum', ['flat', 'fc.weight'], 'product', { equation: 'nc,dk->nd' }),
    [4, 5],
    [4],
    true,
  );
  const model = await loadModel(path);
  t.strictSame(
    model.layers.map(({ name }) => name),
    ['conv'],
  );
  t.match(model.warnings, [/1 operation\(s\) .* left out: product \(Einsum\); it sums in another way/]);
});

t.test("a dictionary of probabilities, as scikit-learn's converters end, is taken apart", async (t) => {
  const folder = t.testdir({});
  const expected = await plainLogits(folder);
  const zip = { ...node('ZipMap', ['p'], 'output_probability'), domain: 'ai.onnx.ml' };
  const label = node('ArgMax', ['flat'], 'output_label', { axis: 1, keepdims: 0 });
  const ending: Ending = {
    nodes: [node('Softmax', ['flat'], 'p', axis(1)), zip, label],
    outputs: [
      ['output_label', [null]],
      ['output_probability', []],
    ],
  };
  const model = await loadModel(write(join(folder, 'm.onnx'), ending));
  const found = await comparedBy(model);
  close(t, found.data, expected.data, 'the logits behind');
});

t.test('a token that an export with one image put beside the images has them go one by one', async (t) => {
  const path = join(t.testdir({}), 'token.onnx');
  const write = (batch: number | null) =>
    writeGraph(path, {
      node: [
        node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [8, 8] }),
        node('Flatten', ['c'], 'f'),
        node('Unsqueeze', ['f', 'second'], 'u'),
        node('Concat', ['token', 'u'], 'tokens', { axis: 1 }),
        node('ReduceMean', ['tokens'], 'mean', { axes: [1], keepdims: 0 }),
        node('Gemm', ['mean', 'fc.weight'], 'z', { transB: 1 }),
      ],
      initializer: [
        weight('conv.weight', [4, 2, 8, 8]),
        weight('token', [1, 1, 4]),
        weight('fc.weight', [3, 4]),
        longs('second', [1]),
      ],
      input: [value('images', [batch, 2, 8, 8])],
      output: [value('z', [batch, 3])],
    });
  write(null);
  const opened = await loadModel(path);
  t.equal(opened.io.batch, 1);
  t.match(opened.warnings.join(), /its node tokens takes one image at a time/);
  write(1);
  const one = images.slice(0, 128);
  t.strictSame(
    await comparedBy(opened, one, 1),
    await run(path, 'images', 'z', new Tensor('float32', one, [1, 2, 8, 8])),
  );
});
