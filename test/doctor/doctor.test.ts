/** The page that says whether critmap can run here: on this machine, and on worse ones. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { colourDepth } from '../../src/commands/terminal.js';
import { type Check, examine } from '../../src/doctor/check.js';
import { memory, openFiles, terminal } from '../../src/doctor/machine.js';
import { buildTools, nodeVersion } from '../../src/doctor/programs.js';
import { CritmapError } from '../../src/errors.js';
import { interfaceNumber } from '../../src/native/interface.js';
import { version } from '../../src/version.js';
import { critmapIn } from '../commands/critmap.js';

interface Page {
  critmap: string;
  canSweep: boolean;
  checks: Check[];
}

async function doctorIn(env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await critmapIn(env, 'doctor', '--json');
  t.equal(stderr, '');
  const page = JSON.parse(stdout) as Page;
  const found = new Map(page.checks.map((check) => [check.id, check]));
  const problems = page.checks.filter(({ state }) => state === 'problem').map(({ id }) => id);
  return { code, page, problems, of: (id: string) => found.get(id)! };
}

t.test('a machine that can sweep: every finding, and a sweep that both engines agree on', async (t) => {
  const { code, page, problems, of } = await doctorIn({});
  t.strictSame([code, page.canSweep, page.critmap, problems], [0, true, version, []]);
  t.match(of('addon').facts, { version, interface: interfaceNumber, file: /critmap\.node$/ });
  t.match(of('onnxruntime').facts, { version: /^1\.\d+\.\d+$/, library: /onnxruntime/ });
  t.match(of('providers').facts, { bundled: ['cpu'] });
  t.ok(of('simd').facts.path && of('cuda').found && of('compiler').found);
  const { layers } = of('sweep').facts as { layers: { layer: string; fast: number; reference: number }[] };
  t.strictSame(
    layers.map(({ layer }) => layer),
    ['conv1', 'fc'],
  );
  for (const { fast, reference } of layers) t.ok(fast > 20 && Math.abs(fast - reference) < 0.01);
  for (const { remedy, state } of page.checks) if (state !== 'ok') t.ok(remedy);
});

t.test(
  'without an addon the page is printed to its end, says what to do, and the exit code is 1',
  async (t) => {
    const env = { CRITMAP_ADDON: '/nowhere/critmap.node', FORCE_COLOR: '1' };
    const { code, stdout, stderr } = await critmapIn(env, 'doctor');
    t.strictSame([code, stderr], [1, '']);
    const lines = stdout.split('\n');
    const at = lines.findIndex((line) => line.includes('native addon'));
    t.match(
      lines[at],
      '\u001B[31mPROBLEM \u001B[0mnative addon     The native addon could not be loaded: /nowhere/critmap.node',
    );
    t.match(lines[at + 1], '-> Unset CRITMAP_ADDON or let it name');
    t.match(stdout, /ONNX Runtime.*not tried without the addon/);
    t.match(
      stdout,
      /PROBLEM .*a small sweep\s+not possible without the addon\n\ncritmap cannot run sweeps here\.\n$/,
    );
  },
);

t.test('what stops a sweep is a problem, what only hinders is a note', async (t) => {
  const dir = t.testdir({ file: '' });
  const broken = await doctorIn({ CRITMAP_ONNXRUNTIME: '/nowhere' });
  t.strictSame([broken.code, broken.problems], [1, ['onnxruntime', 'providers', 'sweep']]);
  t.match(broken.of('onnxruntime'), { found: /CRITMAP_ONNXRUNTIME names/, facts: { code: 'ERR_NATIVE' } });
  for (const id of broken.problems.slice(0, 2)) {
    t.match(broken.of(id).remedy, /^Unset CRITMAP_ONNXRUNTIME, or let it name/);
  }
  const folders = await doctorIn({ TMPDIR: join(dir, 'none'), XDG_CACHE_HOME: join(dir, 'file') });
  t.strictSame([folders.code, folders.problems], [0, []]);
  t.match(folders.of('temporary'), {
    state: 'note',
    found: /its directory does not exist/,
    remedy: /TMPDIR/,
  });
  t.match(folders.of('cache'), {
    state: 'note',
    found: /a part of the path is a file/,
    remedy: /XDG_CACHE_HOME/,
  });
});

t.test('single findings', async (t) => {
  t.match(nodeVersion('20.16.0'), { state: 'problem', found: /too old/, remedy: /20\.17 or newer/ });
  t.notOk(nodeVersion('22.0.0').state);
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.equal(engines.node, `>=${nodeVersion().facts?.least}`);
  t.match(memory(4e9, 64e9, 3e9).found, '4 GB of 64 GB, limited by the job or control group; 3 GB free');
  t.match(memory(4e9, 4e9, 5e8), { state: 'note', remedy: /--threads 1/ });
  t.match(openFiles(256), { state: 'note', remedy: 'Raise the limit: ulimit -n 1024' });
  t.match(openFiles(Number.POSITIVE_INFINITY), { found: 'no limit', facts: { limit: null } });
  const screen = { isTerminal: true, columns: 90, depth: 4 };
  t.match(terminal(screen, {}), { state: 'note', found: '90 columns, 16 colours' });
  t.match(terminal({ ...screen, depth: 1 }, { NO_COLOR: '1' }), {
    found: '90 columns, no colours (NO_COLOR=1)',
  });
  const { PATH } = process.env;
  process.env.PATH = '/nowhere';
  t.teardown(() => (process.env.PATH = PATH));
  t.match(buildTools(true), {
    state: 'note',
    found: /CMake and a C\+\+20 compiler and make or ninja missing/,
  });
  t.notOk(buildTools(false).state, 'with an addon nothing needs to be built');
  const thrown = (error: Error) =>
    examine({ id: 'x', title: 'x', look: () => Promise.reject(error) }).then(({ found }) => found);
  t.equal(await thrown(new CritmapError('ERR_NATIVE', 'what it is')), 'what it is');
  t.equal(await thrown(new Error('a\nb')), 'could not be looked at: a b');
});

t.test('NO_COLOR and FORCE_COLOR decide before the terminal does', async (t) => {
  const screen = { isTTY: true };
  const pipe = { isTTY: false };
  const TERM = 'xterm-256color';
  for (const [stream, env, depth] of [
    [screen, { TERM }, 8],
    [screen, { TERM, NO_COLOR: '1' }, 1],
    [screen, { TERM, NO_COLOR: '0' }, 1],
    [screen, { TERM, NO_COLOR: '' }, 8],
    [screen, { TERM: 'dumb' }, 1],
    [screen, { TERM, FORCE_COLOR: '0' }, 1],
    [pipe, { TERM }, 1],
    [pipe, { TERM, FORCE_COLOR: '' }, 4],
    [pipe, { TERM, FORCE_COLOR: '3' }, 24],
    [pipe, { TERM, FORCE_COLOR: '2', NO_COLOR: '1' }, 8],
  ] as const) {
    t.equal(colourDepth(stream as NodeJS.WriteStream, { ...env }), depth, JSON.stringify(env));
  }
});
