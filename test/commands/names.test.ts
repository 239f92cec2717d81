/** Names come from files of others: whatever they hold, they steer no terminal, forge no line and are no formula. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import t from 'tap';
import { ProgressLine } from '../../src/commands/progress.js';
import { json, shown } from '../../src/commands/terminal.js';
import { CritmapError } from '../../src/errors.js';
import { csvField } from '../../src/files/csv.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

/** What a terminal acts on: everything below a space but the line's end, DEL, the second set of controls, and what reorders. */
const STEERS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const clean = (text: string) => !STEERS.test(text.replaceAll('\n', ''));

const hostile = [
  '\u001b]0;owned\u0007\u001b[2J',
  '\u009b31mred',
  'two\nlines',
  'back\rforged  100.0',
  '\u202egnorw',
  'zero\u200bwidth',
  'tag\u{e0041}',
  '=cmd|"/c calc"!A1',
  '@SUM(1)',
  '+1',
  '-1+1',
  '\t=1',
];

/** A model of which all nodes, tensors and the producer have such names. */
function hostileModel(path: string): string {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('mlp.onnx')));
  const graph = proto.graph!;
  const names = new Map<string, string>();
  const rename = (name: string) => {
    if (name === '') return '';
    if (!names.has(name)) names.set(name, `${hostile[names.size % hostile.length]}${names.size}`);
    return names.get(name)!;
  };
  proto.producerName = hostile[0]!;
  for (const node of graph.node) {
    node.name = rename(node.name);
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
  }
  for (const one of [...graph.initializer, ...graph.input, ...graph.output, ...graph.valueInfo]) {
    one.name = rename(one.name);
  }
  writeFileSync(path, toBinary(ModelSchema, proto));
  return path;
}

t.test('no command lets a name of a model through to the terminal', async (t) => {
  const dir = t.testdir({});
  const model = hostileModel(join(dir, 'm.onnx'));
  const out = join(dir, 'run');
  const name = hostile.join(' ');
  for (const args of [
    ['inspect', model],
    ['inspect', model, '--json'],
    ['sweep', model, '--data', 'synthetic:4', '--trials', '1', '--out', out, '--name', name],
    ['sweep', model, '--data', 'synthetic:4', '--trials', '1', '--out', out, '--name', name, '--json'],
    ['sweep', model, '--data', 'synthetic:4', '--layers', hostile[0]!, '--out', `${out}${hostile[1]}`],
  ]) {
    const { code, stdout, stderr } = await critmap(...args);
    t.ok(clean(stdout), `stdout of ${args[0]}: ${JSON.stringify(stdout.slice(0, 300))}`);
    t.ok(clean(stderr), `stderr of ${args[0]}: ${JSON.stringify(stderr)}`);
    if (args.includes('--json')) {
      // A sweep's last event has the summary.
      const isSweep = args[0] === 'sweep';
      const told = JSON.parse(isSweep ? stdout.trimEnd().split('\n').at(-1)! : stdout);
      const { layers } = (isSweep ? told.summary : told) as { layers: { name?: string; layer?: string }[] };
      const found = layers.map((layer) => layer.name ?? layer.layer!);
      t.ok(
        found.every((layer) => hostile.some((part) => layer.includes(part.slice(0, 3)))),
        'JSON has the very names',
      );
      t.ok(code === 0);
    }
  }
  for (const file of ['summary.csv', 'results.csv']) {
    for (const field of readFileSync(join(out, file), 'utf8').matchAll(/(?:^|,)("?)([^",\n]*)/gm)) {
      t.ok(
        !/^[=+@\t\r]/.test(field[2]!) && !(/^-/.test(field[2]!) && Number.isNaN(Number(field[2]))),
        field[0],
      );
    }
  }
});

t.test('a progress line shows them harmlessly', async (t) => {
  const written: string[] = [];
  const stream = {
    isTTY: false,
    write: (text: string) => written.push(text) > 0,
  } as unknown as NodeJS.WriteStream;
  const line = new ProgressLine(false, stream);
  for (const layer of hostile) {
    line.update({ done: 1, expected: null, total: 1, resumed: 0, cells: 1, elapsedMs: 1, layer });
    line.note(`warning: ${layer}`);
  }
  t.equal(written.length, 2 * hostile.length);
  for (const text of written) {
    t.ok(clean(text), JSON.stringify(text));
    t.equal(text.split('\n').length, 2, 'one line');
  }
});

/** A string of characters that are likely to do harm, the same for the same seed. */
function randomText(seed: number): string {
  let state = seed + 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const kinds = [
    () => String.fromCharCode(next(0xa0)),
    () => '=+-@\t\r\n\'"'[next(9)]!,
    () => String.fromCharCode(0x2000 + next(0x70)),
    () => String.fromCodePoint(0xe0000 + next(0x80)),
    () => String.fromCharCode(0xd800 + next(0x800)),
    () => 'aZ09._/ö漢'[next(9)]!,
  ];
  return Array.from({ length: next(12) }, () => kinds[next(kinds.length)]!()).join('');
}

t.test('whatever a name holds', async (t) => {
  const fields = new Map<string, string>();
  const bad: string[] = [];
  for (let seed = 0; seed < 20_000; seed++) {
    const name = randomText(seed);
    const told = [
      shown(name),
      shown({ deep: [{ name }] }).deep[0]!.name,
      new CritmapError('ERR_RUN', name).message,
    ];
    if (!told.every((text) => clean(text) && !text.includes('\n'))) bad.push(`shown ${JSON.stringify(name)}`);
    const text = json({ name }, 1);
    if (!clean(text) || JSON.parse(text).name !== name) bad.push(`json ${JSON.stringify(name)}`);
    const field = csvField(name);
    const value = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    if (/^[=+\-@\t\r]/.test(value)) bad.push(`csv ${JSON.stringify(name)}`);
    if (!field.startsWith('"') && /[",\r\n]/.test(field)) bad.push(`csv ${JSON.stringify(name)}`);
    if ((fields.get(value) ?? name) !== name) bad.push(`csv makes two names equal: ${JSON.stringify(name)}`);
    fields.set(value, name);
  }
  t.strictSame(bad.slice(0, 5), []);
  t.equal(csvField(-1.5), '-1.5', 'numbers are numbers');
  t.equal(csvField('layer1.0.conv1'), 'layer1.0.conv1');
  t.equal(csvField('=1'), "'=1");
  t.equal(csvField("'=1"), "''=1");
});
