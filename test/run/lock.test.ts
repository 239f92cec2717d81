/** A run has one writer, whoever comes when, and the end of a writer, however it comes, leaves the run free. */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { files, openRun, type RunIdentity } from '../../src/run/run.js';
import { noSeconds } from '../../src/run/stages.js';

const program = fileURLToPath(new URL('./holder.mjs', import.meta.url));
const identity: RunIdentity = {
  model: { name: 'm', sha256: 'aa', layers: 3 },
  data: { source: 'photos', images: 10, fingerprint: 'bb', transform: { kind: 'pixels' } },
  options: { seed: 0 },
};
const other = { ...identity, options: { seed: 1 } };
const info = {
  version: 2 as const,
  critmap: '0.1.0',
  status: 'running' as const,
  started: '2026-01-01T00:00:00.000Z',
  updated: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  ...identity,
  cells: 3,
  environment: {},
  warnings: [],
  stageSeconds: noSeconds,
  peakMemoryBytes: 0,
  graph: null,
  sample: { file: 'images.csv', seed: 0, total: 20, skipped: [] },
};
const inUse = { code: 'ERR_RUN', message: /in use by (another critmap|this process)/ };

const answer = async (child: ChildProcess | Worker) => (await once(child, 'message'))[0] as string;
const ask = (child: ChildProcess, message: object) => {
  child.send(message);
  return answer(child);
};

/** What a process that was killed leaves. */
const stale = JSON.stringify({ pid: 2 ** 30, host: hostname(), boot: null });

t.test('of four processes that come at once exactly one gets a run, 200 times', async (t) => {
  const folder = t.testdir({});
  const children = Array.from({ length: 4 }, () => fork(program, { execArgv: [] }));
  t.teardown(() => children.map((child) => child.kill()));
  await Promise.all(children.map(answer));
  for (const [kind, lock] of [
    ['fresh', null],
    ["a dead process's", stale],
  ] as const) {
    const wrong: string[][] = [];
    for (let round = 0; round < 200; round++) {
      const directory = mkdtempSync(join(folder, 'run-'));
      if (lock !== null) writeFileSync(join(directory, files.lock), lock);
      const answers = await Promise.all(children.map((child) => ask(child, { open: directory, identity })));
      const held = answers.filter((text) => text === 'held').length;
      const refused = answers.filter((text) => text.includes('in use by another critmap')).length;
      if (held !== 1 || refused !== 3) wrong.push(answers);
      await Promise.all(children.map((child) => ask(child, {})));
      if (existsSync(join(directory, files.lock))) wrong.push(['the lock is left']);
    }
    t.strictSame(wrong, [], kind);
  }
});

t.test('while holders come and go one after the other, there is never a second one', async (t) => {
  const directory = t.testdir({});
  let holders = 0;
  let most = 0;
  let taken = 0;
  const come = async () => {
    for (let i = 0; i < 60; i++) {
      const run = await openRun(directory, identity).catch(() => null);
      if (!run) continue;
      taken++;
      most = Math.max(most, ++holders);
      await setTimeout(1);
      holders--;
      await run.close();
    }
  };
  await Promise.all([come(), come(), come(), come()]);
  t.equal(most, 1);
  t.ok(taken > 10, `${taken} times`);
});

t.test('whose run it is is looked at when the lock is held', async (t) => {
  const directory = t.testdir({});
  const { open } = fs;
  let reading: () => void = () => {};
  const read = new Promise<void>((resolve) => (reading = resolve));
  const slowly = async (...args: Parameters<typeof open>) => {
    if (String(args[0]).endsWith(files.info)) {
      reading();
      await setTimeout(300);
    }
    return open(...args);
  };
  const run = await openRun(directory, identity);
  await run.writeInfo(info);
  await run.close();
  Object.assign(fs, { open: slowly });
  syncBuiltinESMExports();
  t.teardown(() => {
    Object.assign(fs, { open });
    syncBuiltinESMExports();
  });
  const late = openRun(directory, other);
  await read;
  await t.rejects(openRun(directory, identity), inUse, 'nobody comes in between');
  await t.rejects(late, { code: 'ERR_RUN', message: /another run \(seed 0, now 1\)/ });
  await (await openRun(directory, identity)).close();
});

t.test('a killed process and a terminated worker thread leave a run free', async (t) => {
  const directory = t.testdir({});
  const child = fork(program, { execArgv: [] });
  await answer(child);
  t.equal(await ask(child, { open: directory, identity }), 'held');
  await t.rejects(openRun(directory, identity), {
    code: 'ERR_RUN',
    message: new RegExp(`process ${child.pid} on ${hostname()}`),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await openRun(directory, identity)).close();

  const worker = new Worker(program, { execArgv: [] });
  await answer(worker);
  worker.postMessage({ open: directory, identity });
  t.equal(await answer(worker), 'held');
  await t.rejects(openRun(directory, identity), inUse);
  await worker.terminate();
  await (await openRun(directory, identity)).close();
});

const apart = ['--user', '--map-root-user', '--pid', '--fork'];
const skip = spawnSync('unshare', [...apart, 'true']).status === 0 ? false : 'no PID namespaces here';
t.test('a holder whose process number means nothing here still holds', { skip }, async (t) => {
  const directory = t.testdir({});
  const child = spawn('unshare', [...apart, process.execPath, program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await answer(child);
  t.equal(await ask(child, { open: directory, identity }), 'held');
  await t.rejects(openRun(directory, identity), inUse);
  child.disconnect();
  await once(child, 'exit');
  await (await openRun(directory, identity)).close();
});

t.test('a lock that is no file is refused in one line', async (t) => {
  const directory = t.testdir({ target: '' });
  for (const [kind, make] of [
    ['directory', (path: string) => mkdirSync(path)],
    ['link', (path: string) => symlinkSync(join(directory, 'target'), path)],
  ] as const) {
    const run = join(directory, kind);
    mkdirSync(run);
    make(join(run, files.lock));
    await t.rejects(
      openRun(run, identity),
      { code: 'ERR_RUN', message: /^cannot write .*lock: [^\n]*$/ },
      kind,
    );
  }
  t.equal(await fs.readFile(join(directory, 'target'), 'utf8'), '', 'what a link names is left alone');
  t.strictSame(readdirSync(join(directory, 'link')), [files.lock]);
});
