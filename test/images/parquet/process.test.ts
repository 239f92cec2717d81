/** The process that reads Parquet files, on files that end it or keep it busy. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import t from 'tap';
import { type ImageOptions, openImages } from '../../../src/images/index.js';
import { ParquetProcess, parquetProcess } from '../../../src/images/parquet/process.js';
import { fixture } from '../../fixtures.js';

const whole = fixture('images/hub-00000-of-00002.parquet');
// Filled sooner.
parquetProcess.limits.heapMiB = 64;
const dir = t.testdir({});
const written = (name: string, bytes: Buffer) => {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
};

/** A run of values that is said to be two thousand million long, and is written past the page's end. */
const longRun = readFileSync(fixture('images/missing.parquet'));
longRun.set([0xfe, 0xff, 0xff, 0xff], 286);
const endless = written('run.parquet', longRun);

function footer(name: string, bytes: Buffer): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return written(name, Buffer.concat([Buffer.from('PAR1'), bytes, length, Buffer.from('PAR1')]));
}

/** A whole number of that many digits to the base 128, put together one by one: each takes longer than the last. */
const digits = (count: number) =>
  footer(`${count}.parquet`, Buffer.concat([Buffer.from([0x16]), Buffer.alloc(count, 0xff)]));

const openAll = (path: string, options: Partial<ImageOptions> = {}) =>
  openImages(path, { shape: { channels: 3, height: 8, width: 8 }, images: 'all', resize: 8, ...options });

const exists = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const gone = async (pid: number) => {
  while (exists(pid)) await setTimeout(20);
};

t.test('a damaged file is refused with its name, and those read with it are not', async (t) => {
  const copies = [0, 1, 2].map((at) => join(dir, `copy-${at}.parquet`));
  for (const copy of copies) copyFileSync(whole, copy);
  const sets = await Promise.all([endless, ...copies].map((path) => openAll(path)));
  t.teardown(() => Promise.all(sets.map((set) => set.close())));
  const [damaged, ...others] = await Promise.allSettled(sets.map((set) => set.fingerprint()));
  t.match(damaged, {
    reason: {
      code: 'ERR_IMAGES',
      message: /run\.parquet row 0: is no readable Parquet file \(it is damaged/,
    },
  });
  t.strictSame(
    others.map((other) => other.status === 'fulfilled' && other.value),
    others.map((_, __, [first]) => first?.status === 'fulfilled' && first.value),
  );
  const before = parquetProcess.pid;
  await t.rejects(sets[0]!.crop(1), { message: /row 1|run\.parquet: is no readable/ });
  t.equal(parquetProcess.pid, before, 'what ended the process once is not tried again');
});

t.test('what was asked of a process that is killed is asked again', async (t) => {
  const own = new ParquetProcess();
  const asked = [0, 1, 2, 3].map(() => own.footer(whole));
  await setImmediate();
  const first = own.pid!;
  process.kill(first, 'SIGKILL');
  t.match(
    await Promise.all(asked),
    [8, 8, 8, 8].map((rows) => ({ num_rows: BigInt(rows) })),
  );
  await gone(first);
  t.not(own.pid, first);
});

t.test('a footer cannot fill the memory of the process that asks', async (t) => {
  // Lists in lists, each of thirty million elements.
  const list = Buffer.from([0xf9, 0xff, 0xff, 0xff, 0x0f]);
  const path = footer('lists.parquet', Buffer.concat([Buffer.from([0x19]), ...Array(400).fill(list)]));
  await t.rejects(openAll(path), {
    code: 'ERR_IMAGES',
    message:
      /lists\.parquet: is no readable Parquet file \(it is damaged: reading it would fill the memory\); copy it again/,
  });
  t.match(await parquetProcess.footer(whole), { num_rows: 8n });
});

t.test('a file that has no end for its reader is given up', async (t) => {
  const own = new ParquetProcess({ seconds: 1, heapMiB: 64 });
  const asked = own.footer(digits(2e6));
  await setImmediate();
  const first = own.pid!;
  await t.rejects(asked, { message: 'it is damaged: reading it would never end' });
  await gone(first);
  own.limits.seconds = 60;
  t.match(await own.footer(whole), { num_rows: 8n }, 'and others are read');
});

t.test('what nobody waits for any more is given up at once', async (t) => {
  const path = digits(8e6);
  const own = new ParquetProcess();
  const stop = new AbortController();
  const reason = new Error('enough');
  const asked = own.footer(path, stop.signal);
  const queued = [0, 1].map(() => own.footer(path, stop.signal));
  await setImmediate();
  const first = own.pid!;
  stop.abort(reason);
  for (const one of [asked, ...queued]) await t.rejects(one, reason);
  await t.rejects(own.footer(whole, stop.signal), reason);
  await gone(first);
  t.match(await own.footer(whole), { num_rows: 8n });
});

t.test('who is read for at the same time is served all the same', async (t) => {
  const own = new ParquetProcess();
  const stop = new AbortController();
  const abandoned = t.rejects(own.footer(digits(8e6), stop.signal), { name: 'AbortError' });
  const other = own.footer(whole);
  await setImmediate();
  stop.abort();
  await abandoned;
  t.match(await other, { num_rows: 8n });
});

t.test('opening and reading end with their signal, and all reads with the source', async (t) => {
  const opening = openAll(digits(8e6), { signal: AbortSignal.timeout(300) });
  await t.rejects(opening, { name: 'TimeoutError' });
  // Its group cannot be read either, but that takes a while.
  const set = await openAll(endless);
  const stop = new AbortController();
  const first = set.fingerprint(stop.signal);
  await setImmediate();
  stop.abort();
  await t.rejects(first, { name: 'AbortError' });
  await t.rejects(set.crop(0), { message: /it is damaged: reading it would fill/ }, 'nothing is kept of it');
  const others = await openAll(endless);
  const pending = others.encoded(0);
  await setImmediate();
  await Promise.all([t.rejects(pending, { message: /aborted/ }), others.close(), set.close()]);
});

t.test('files that end early, or are gone meanwhile, are refused in words', async (t) => {
  const cut = written('cut.parquet', readFileSync(whole).subarray(0, 2000));
  await t.rejects(openAll(cut), { message: /cut\.parquet: .*\(it is cut off or of another kind/ });
  const passing = join(dir, 'passing.parquet');
  copyFileSync(whole, passing);
  const set = await openAll(passing);
  t.teardown(() => set.close());
  rmSync(passing);
  await t.rejects(set.fingerprint(), { message: /passing\.parquet row 0: does not exist/ });
});

/** Open files that a process may have. */
const limitFiles = (pid: number, most: string) =>
  spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${most}:`]).status === 0;
const cannotLimit = limitFiles(process.pid, '1024') ? false : 'needs prlimit';

t.test('what the machine lacks is not held against the file', { skip: cannotLimit }, async (t) => {
  const set = await openAll(whole);
  t.teardown(() => set.close());
  const { pid } = parquetProcess;
  t.ok(limitFiles(pid!, '3'));
  await t.rejects(set.fingerprint(), {
    message: /parquet: too many files are open; raise the limit/,
    cause: { code: 'EMFILE' },
  });
  t.ok(limitFiles(pid!, '1024'));
  t.match(await set.fingerprint(), /^[0-9a-f]{64}$/, 'it is read again when there is room');
  t.equal(parquetProcess.pid, pid);
});

t.test('a machine that starts no process is not held against the file', async (t) => {
  const { execPath } = process;
  process.execPath = join(dir, 'no-such-program');
  const refused = t.rejects(new ParquetProcess().footer(whole), {
    code: 'ERR_IMAGES',
    message: /hub-00000-of-00002\.parquet: cannot start a process to read it \(.*ENOENT\); close other/,
  });
  await setImmediate();
  process.execPath = execPath;
  await refused;
});

t.test('an end that is not the memory says so, and blames no file', async (t) => {
  const own = new ParquetProcess();
  const asked = own.footer(digits(2e6));
  await setImmediate();
  process.kill(own.pid!, 'SIGTERM');
  await t.rejects(asked, {
    name: 'CritmapError',
    message: /2000000\.parquet: the process that reads it .* \(SIGTERM\); close other programs and try again/,
  });
  // V8 ends in the same way as when its heap is full.
  await t.rejects(new ParquetProcess({ seconds: 60, heapMiB: 1 }).footer(whole), {
    name: 'CritmapError',
    message: /: the process that reads it did not start \((SIG(ABRT|TRAP)|exit code 134)\); close other/,
  });
});

t.test('it ends when nobody has needed it for a while', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const own = new ParquetProcess();
  await own.footer(whole);
  const first = own.pid!;
  mock.timers.tick(9000);
  t.equal((await own.footer(whole)).num_rows, 8n);
  mock.timers.tick(9000);
  t.equal(own.pid, first, 'each use puts it off');
  mock.timers.tick(2000);
  t.equal(own.pid, null);
  mock.timers.reset();
  await gone(first);
  t.match(await own.footer(whole), { num_rows: 8n }, 'and starts again');
});

/** What a program writes that has the module, and how it ends. */
function runWith(program: string) {
  const module = new URL('../../../dist/images/parquet/process.js', import.meta.url).href;
  const imports = `import { parquetProcess } from ${JSON.stringify(module)};
    import { writeSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';`;
  const args = ['--input-type=module', '--eval', imports + program];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

t.test('it neither keeps a program from ending nor outlives it', async (t) => {
  const { status, stdout } = runWith(`
    await parquetProcess.footer(${JSON.stringify(whole)});
    console.log(parquetProcess.pid);`);
  t.equal(status, 0);
  t.ok(Number(stdout) > 0, stdout);
  await gone(Number(stdout));
});

t.test('a busy one does not outlive a program that is killed', async (t) => {
  // It would be busy for longer than a test may take.
  const { signal, stdout } = runWith(`
    await parquetProcess.footer(${JSON.stringify(whole)});
    void parquetProcess.footer(${JSON.stringify(digits(8e6))});
    await setTimeout(1000);
    writeSync(1, String(parquetProcess.pid));
    process.kill(process.pid, 'SIGKILL');`);
  t.equal(signal, 'SIGKILL');
  t.ok(Number(stdout) > 0, stdout);
  await gone(Number(stdout));
});
