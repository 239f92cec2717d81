/** A trace is Chrome's JSON at every moment, and never in the way: of other files, or of what is traced. */
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { TraceFile } from '../../src/files/trace-file.js';

const never = (problem: Error) => {
  throw problem;
};
const eventsIn = (text: string) => JSON.parse(text) as Record<string, unknown>[];

t.test('spans that overlap get tracks of their own, also in a trace that was cut', async (t) => {
  const path = join(t.testdir({}), 'trace.json');
  const trace = await TraceFile.open(path, ['a', 'b'], never);
  // Each ends when it is told: from its beginning until now.
  const now = performance.now();
  trace.span('b', 'first', now - 5, { chunk: 1 });
  trace.span('b', 'longer', now - 9);
  trace.span('a', 'other', now - 9);
  trace.span('b', 'next', performance.now());
  trace.close();
  trace.close();
  const text = readFileSync(path, 'utf8');
  const spans = eventsIn(text).filter(({ ph }) => ph === 'X');
  t.match(spans, [
    { name: 'first', cat: 'b', tid: 2000, args: { chunk: 1 } },
    { name: 'longer', cat: 'b', tid: 2001 },
    { name: 'other', cat: 'a', tid: 1000 },
    { name: 'next', cat: 'b', tid: 2000 },
  ]);
  const names = eventsIn(text).filter(({ name }) => name === 'thread_name');
  t.strictSame(
    names.map(({ tid, args }) => [tid, (args as { name: string }).name]),
    [
      [2000, 'b'],
      [2001, 'b 2'],
      [1000, 'a'],
    ],
  );
  const lines = text.split('\n');
  for (let kept = 2; kept < lines.length - 2; kept++) {
    const cut = lines.slice(0, kept).join('\n');
    t.equal(eventsIn(`${cut.replace(/,$/, '')}]`).length, kept - 1);
  }
});

t.test('what is recorded goes to the file soon, however much there is', async (t) => {
  const path = join(t.testdir({ 'trace.json': '[\nan earlier one' }), 'trace.json');
  const trace = await TraceFile.open(path, ['a'], never);
  for (let i = 0; i < 1000; i++) trace.span('a', `span ${i}`, performance.now());
  t.ok(readFileSync(path, 'utf8').length > 50_000, 'not all of it is kept back');
  trace.close();
  t.equal(eventsIn(readFileSync(path, 'utf8')).filter(({ ph }) => ph === 'X').length, 1000);
});

t.test('other files are refused, and stay', async (t) => {
  const dir = t.testdir({ 'notes.txt': 'mine', folder: {}, empty: '' });
  const refused = (name: string, message: RegExp) =>
    t.rejects(TraceFile.open(join(dir, name), [], never), { code: 'ERR_RUN', message }, name);
  await refused('notes.txt', /notes\.txt is there already and is no trace; choose another file/);
  await refused('folder', /cannot write .*folder/);
  await refused(join('none', 'trace.json'), /its directory does not exist/);
  if (process.platform !== 'win32')
    await t.rejects(TraceFile.open('/dev/zero', [], never), { code: 'ERR_RUN' });
  t.equal(readFileSync(join(dir, 'notes.txt'), 'utf8'), 'mine');
  (await TraceFile.open(join(dir, 'empty'), [], never)).close();
});

t.test('a disk that is full ends the trace, is told once, and nothing else', async (t) => {
  const path = join(t.testdir({}), 'trace.json');
  const problems: string[] = [];
  const trace = await TraceFile.open(path, ['a'], ({ message }) => problems.push(message));
  const full = () => {
    throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
  };
  const { writeFileSync } = fs;
  t.teardown(() => {
    Object.assign(fs, { writeFileSync });
    syncBuiltinESMExports();
  });
  Object.assign(fs, { writeFileSync: full });
  syncBuiltinESMExports();
  for (let i = 0; i < 3000; i++) trace.span('a', `span ${i}`, performance.now());
  trace.close();
  t.match(problems, [/cannot write .*trace\.json: the disk is full/]);
  t.equal(problems.length, 1);
});
