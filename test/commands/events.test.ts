/** `sweep --json` prints events that a program can rely on, whoever reads them, and `--trace` where the time went. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { EventStream } from '../../src/commands/event-stream.js';
import { parseSweepEvent } from '../../src/index.js';
import { readInfo } from '../../src/run/run.js';
import { stages } from '../../src/run/stages.js';
import { type Summary, summarySchema } from '../../src/run/summary.js';
import { type EventOf, type SweepEvent, sweepEventSchema } from '../../src/sweep/events.js';
import { lanes } from '../../src/sweep/observer.js';
import { example } from '../fixtures.js';
import { critmap, outcome, start } from './critmap.js';

const model = example('resnet.onnx');
const data = example('images.npz');
const sweep = ['sweep', model, '--data', data, '--images', 'all', '--json'];

const eventsIn = (stdout: string): SweepEvent[] => {
  if (!stdout.endsWith('\n')) throw new Error('the last line is cut');
  return stdout.trimEnd().split('\n').map(parseSweepEvent);
};
const all = <Name extends SweepEvent['event']>(events: readonly SweepEvent[], name: Name) =>
  events.filter((one): one is EventOf<Name> => one.event === name);
const summaryIn = (out: string): Summary =>
  summarySchema.parse(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));

t.test('a sweep with a tolerance tells of everything, in order, and ends with its summary', async (t) => {
  const dir = t.testdir({});
  const [out, trace] = [join(dir, 'run'), join(dir, 'trace.json')];
  const layers = ['--layers', 'conv1,layer3.2.conv2,fc', '--tolerance', '5', '--threads', '2'];
  const { code, stdout, stderr } = await critmap(...sweep, ...layers, '--out', out, '--trace', trace);
  t.equal(code, 0, stderr);
  t.equal(stderr, '', 'nothing for people');
  const events = eventsIn(stdout);
  t.match(events[0], {
    event: 'started',
    versions: { critmap: String, onnxruntime: String, node: process.version },
    model: { name: 'resnet', file: model },
    data: { source: data, images: 1000 },
    layers: ['conv1', 'layer3.2.conv2', 'fc'],
    resets: ['random'],
    out,
    shard: null,
  });
  t.strictSame(all(events, 'planned'), [{ event: 'planned', cells: 3, chunks: 4, passes: 3000, resumed: 0 }]);
  const order = events.map(({ event }) => event);
  t.ok(order.indexOf('planned') < order.indexOf('progress'));
  const progress = all(events, 'progress');
  t.strictSame(
    progress.map(({ done }) => done),
    progress.map(({ done }) => done).sort((a, b) => a - b),
    'forwards only',
  );
  const last = progress.at(-1)!;
  t.equal(last.done, last.total, 'up to the end');
  t.equal(last.secondsLeft, 0);

  const summary = summaryIn(out);
  const stopped = summary.layers.filter(({ stoppedAt }) => stoppedAt !== null);
  t.ok(stopped.length > 0 && stopped.some(({ stoppedAt }) => stoppedAt! < 1000));
  t.strictSame(
    all(events, 'stopped').sort((a, b) => a.layer.localeCompare(b.layer)),
    stopped
      .map(({ layer, reset, stoppedAt, criticality: { low, high } }) => ({
        ...{ event: 'stopped', layer, reset, images: stoppedAt },
        interval: { low, high },
      }))
      .sort((a, b) => a.layer.localeCompare(b.layer)),
  );
  t.strictSame(events.at(-1), { event: 'done', out, shard: null, summary });

  const again = eventsIn((await critmap(...sweep, ...layers, '--out', out)).stdout);
  t.equal(all(again, 'stopped').length, stopped.length, 'those of before are told again');
  t.strictSame(again.at(-1), events.at(-1));

  await hasTimes(t, out);
  isTrace(t, readFileSync(trace, 'utf8'));
});

/** Seconds by stage and the peak of memory make sense. */
async function hasTimes(t: Test, out: string) {
  const { seconds, stageSeconds, peakMemoryBytes, environment } = await readInfo(out);
  for (const stage of stages) t.ok(stageSeconds[stage] >= 0, stage);
  const { upload, reset, inference, metrics, decode, journal, waiting } = stageSeconds;
  for (const one of [decode, journal, upload, reset, inference, metrics]) t.ok(one > 0);
  for (const one of [decode, journal, waiting]) t.ok(one <= seconds, 'by the clock');
  t.ok(upload + reset + inference + metrics <= seconds * Number(environment.threads), 'of all threads');
  t.ok(inference > reset + metrics + upload, 'the model takes the most');
  t.ok(peakMemoryBytes > 50e6 && peakMemoryBytes < 4e9, `${peakMemoryBytes} bytes`);
}

interface TraceEvent {
  ph: string;
  name: string;
  cat: string;
  ts: number;
  dur: number;
  tid: number;
  args: Record<string, number | string>;
}

/** Chrome's format: an array, an event a line, spans of a track one after another. */
function isTrace(t: Test, text: string) {
  const lines = text.trimEnd().split('\n');
  t.equal(lines[0], '[');
  t.equal(lines.at(-1), ']');
  const events = JSON.parse(text) as TraceEvent[];
  t.equal(events.length, lines.length - 2, 'an event a line');
  const spans = events.filter(({ ph }) => ph === 'X');
  t.strictSame(new Set(spans.map(({ cat }) => cat)), new Set(lanes), 'every lane has some');
  const named = events.filter(({ name }) => name === 'thread_name').map(({ tid }) => tid);
  for (const tid of new Set(spans.map((span) => span.tid))) {
    t.ok(named.includes(tid));
    const own = spans.filter((span) => span.tid === tid).sort((a, b) => a.ts - b.ts);
    for (const [i, { ts, dur }] of own.entries()) {
      t.ok(ts >= 0 && dur >= 0 && ts + dur <= (own[i + 1]?.ts ?? Number.POSITIVE_INFINITY));
    }
  }
  const chunks = spans.filter(({ cat }) => cat === 'chunks');
  t.match(
    chunks.map(({ args }) => args).find(({ chunk }) => chunk === 0),
    {
      ...{ chunk: 0, images: 256, layers: 3, cells: 3 },
    },
  );
  t.same(chunks.map(({ args }) => args.chunk).sort(), [0, 1, 2, 3].slice(0, chunks.length));
}

/** Interrupted as soon as an event comes that is waited for. */
async function interruptedAt(event: RegExp, args: readonly string[]) {
  const child = start(...args);
  const ended = outcome(child);
  let stdout = '';
  let isInterrupted = false;
  child.stdout!.on('data', (text) => {
    stdout += text;
    // Once: a second signal ends it at once, whatever it still has to tell.
    if (isInterrupted || !event.test(stdout)) return;
    isInterrupted = true;
    child.kill('SIGINT');
  });
  return ended;
}

t.test('Ctrl-C is told, and the same command tells what there was already', async (t) => {
  const out = join(t.testdir({}), 'run');
  // More than can be done meanwhile.
  const args = ['sweep', model, '--data', 'synthetic:4000', '--images', 'all', '--json', '--out', out];
  // A layer is finished for a chunk.
  const first = await interruptedAt(/"event":"progress".*"layer":"/, args);
  t.equal(first.code, 130, first.stderr);
  t.match(first.stderr, /\ncritmap: interrupted; repeat the command to go on with .*\n$/);
  t.match(eventsIn(first.stdout).at(-1), {
    event: 'interrupted',
    exitCode: 130,
    message: /repeat the command/,
  });
  const before = await readInfo(out);
  const second = await interruptedAt(/"event":"progress"/, args);
  t.equal(second.code, 130, second.stderr);
  const events = eventsIn(second.stdout);
  const [planned] = all(events, 'planned');
  t.ok(planned!.resumed > 0 && planned!.resumed < planned!.passes);
  t.ok(all(events, 'progress').every(({ done }) => done > planned!.resumed));
  const after = await readInfo(out);
  for (const stage of stages) t.ok(after.stageSeconds[stage] >= before.stageSeconds[stage], stage);
  t.ok(before.stageSeconds.inference > 0 && after.stageSeconds.inference > before.stageSeconds.inference);
  t.ok(after.peakMemoryBytes >= before.peakMemoryBytes);
});

t.test('a failure is told to programs and to people; a trace that cannot be is one', async (t) => {
  const dir = t.testdir({});
  const cases = [
    [['sweep', join(dir, 'none.onnx'), '--data', data], 'ERR_MODEL', /none\.onnx/],
    [
      [...sweep, '--trace', join(dir, 'no', 'trace.json')],
      'ERR_RUN',
      /trace\.json: its directory does not exist/,
    ],
  ] as const;
  for (const [args, code, message] of cases) {
    const out = join(dir, 'run');
    const ended = await critmap(...args, '--json', '--out', out);
    t.equal(ended.code, 1);
    const [event, ...more] = eventsIn(ended.stdout);
    t.match(event, { event: 'failed', code, message });
    t.strictSame(more, []);
    t.match(ended.stderr, new RegExp(`^critmap: .*${message.source}.*\n$`));
    t.notOk(existsSync(out), 'before anything is computed');
  }
});

t.test('a pipe that somebody closes ends the events, not the sweep', async (t) => {
  const out = join(t.testdir({}), 'run');
  const child = start('sweep', model, '--data', data, '--images', '128', '--json', '--out', out);
  const ended = outcome(child);
  await once(child.stdout!, 'data');
  child.stdout!.destroy();
  const { code, stderr } = await ended;
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  t.equal(summaryIn(out).layers.length, 18);
});

t.test('--quiet leaves progress out; a shard has no summary, merge prints the summary alone', async (t) => {
  const dir = t.testdir({});
  const args = ['sweep', model, '--data', data, '--images', '40', '--layers', 'fc', '--json', '--quiet'];
  const shard = join(dir, 'shard');
  const { stdout } = await critmap(...args, '--shard', '1/1', '--out', shard);
  t.match(eventsIn(stdout), [
    { event: 'started' },
    { event: 'planned' },
    { event: 'done', shard: { index: 1, of: 1 }, summary: null },
  ]);
  const merged = await critmap('merge', shard, '--out', join(dir, 'whole'), '--json');
  t.equal(merged.code, 0, merged.stderr);
  t.strictSame(summarySchema.parse(JSON.parse(merged.stdout)), summaryIn(join(dir, 'whole')));
  const [part, whole] = [await readInfo(shard), await readInfo(join(dir, 'whole'))];
  t.strictSame(whole.stageSeconds, part.stageSeconds);
  t.equal(whole.peakMemoryBytes, part.peakMemoryBytes);
});

t.test('who reads slowly gets the newest progress, all warnings and the end', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
  const [[reader]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ];
  t.teardown(() =>
    [client, reader, server].forEach((one) => void ('destroy' in one ? one.destroy() : one.close())),
  );
  const stream = new EventStream(false, client, 0);
  const total = 200_000;
  let most = 0;
  for (let done = 1; done <= total; done++) {
    const layer = 'layer'.repeat(10);
    stream.update({ done, total, expected: total, resumed: 0, cells: 1, elapsedMs: done, layer });
    if (done % 50_000 === 0) stream.warn(`at ${done}`);
    // What the kernel takes is not ours.
    if (done % 100 === 0) await new Promise(setImmediate);
    most = Math.max(most, client.writableLength);
  }
  t.ok(most < 100_000, `${most} bytes are kept`);
  stream.send({ event: 'failed', code: null, message: 'over' });
  client.end();
  let text = '';
  for await (const part of reader) text += part;
  const events = eventsIn(text);
  t.strictSame(
    all(events, 'warning').map(({ message }) => message),
    [50_000, 100_000, 150_000, 200_000].map((at) => `at ${at}`),
  );
  const progress = all(events, 'progress');
  t.ok(progress.length < total / 4, `${progress.length} of ${total} were written`);
  t.equal(progress.at(-1)!.done, total, 'the newest');
  t.strictSame(events.at(-1), { event: 'failed', code: null, message: 'over' });
});

t.test('events are described, and lines that are none are refused', async (t) => {
  const page = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
  for (const { shape } of sweepEventSchema.options) {
    const [name] = [...shape.event.values];
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
    for (const field of Object.keys(shape).slice(1)) t.ok(row.includes(`\`${field}\``), `${name}: ${field}`);
  }
  const file = new URL('../../docs/events.schema.json', import.meta.url);
  t.strictSame(
    JSON.parse(readFileSync(file, 'utf8')),
    z.toJSONSchema(sweepEventSchema, { io: 'input' }),
    'node scripts/events-schema.mjs',
  );
  for (const line of ['', '{', '[]', '{"event":"over"}', '{"event":"warning"}']) {
    t.throws(() => parseSweepEvent(line), { code: 'ERR_RUN', message: /no event of a sweep/ });
  }
  t.throws(() => parseSweepEvent(1 as never), TypeError);
});
