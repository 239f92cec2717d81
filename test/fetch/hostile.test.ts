/** Servers and caches of others: what they send or hold has an end, and leads nowhere else. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Repository } from '../../src/fetch/hub.js';
import { hubHome } from '../../src/fetch/hub-cache.js';
import { fetchUrl } from '../../src/fetch/url.js';
import { type HubWord, parseRemote, type UrlWord } from '../../src/fetch/words.js';
import { startHub } from './hub-server.js';

const dir = t.testdir({});
for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING)/.test(name)) delete process.env[name];
process.env.HF_HOME = join(dir, 'home');
process.env.XDG_CACHE_HOME = join(dir, 'cache');
const COMMIT = 'a'.repeat(40);
const hub = await startHub(t, {
  'o/m': {
    commit: COMMIT,
    files: { 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.alloc(3000) },
  },
});
process.env.HF_ENDPOINT = hub.url;
const word = parseRemote('hf:o/m') as HubWord;
const open = () => Repository.open(word, {});
const fails = (message: RegExp) => ({ code: 'ERR_FETCH', message });

t.test('an answer that does not end is given up', async (t) => {
  const endless = Buffer.alloc(2 ** 20, ' ');
  hub.instead(/revision/, (_, res) => {
    res.writeHead(200, { 'content-type': 'application/json' });
    const more = () => {
      while (!res.destroyed && res.write(endless));
      if (!res.destroyed) res.once('drain', more);
    };
    more();
  });
  await t.rejects(open(), fails(/longer than 67108864 bytes/));
});

t.test('so is a list of files of which every page names another', async (t) => {
  const [path, headers] = [/tree/, { 'content-type': 'application/json' }];
  hub.instead(
    path,
    (req, res) =>
      void res.writeHead(200, { ...headers, link: `<${hub.url}${req.url}>; rel="next"` }).end('[]'),
    10_000,
  );
  await t.rejects((await open()).weights(), fails(/its list of files does not end/));
  t.ok(hub.asked.length < 1000, `${hub.asked.length} questions`);
});

t.test('names that a server makes up stay in their folder', async (t) => {
  const other = await startHub(t, {
    'o/n': {
      commit: COMMIT,
      files: {
        'config.json': Buffer.from('{}'),
        '..': Buffer.from('x'),
        '..\\x': Buffer.from('x'),
        'model.safetensors': Buffer.alloc(9),
      },
    },
  });
  process.env.HF_ENDPOINT = other.url;
  const found = await (await Repository.open(parseRemote('hf:o/n') as HubWord, {})).weights();
  process.env.HF_ENDPOINT = hub.url;
  t.strictSame(
    found.map(({ name }) => name),
    ['model.safetensors'],
  );
  for (const text of [
    'hf:o/../x',
    'hf:../m',
    'hf:o/m@..',
    'hf:o/m@main/../../x',
    'hf:o/m@%2e%2e/x',
    'hf:o/m/a//b',
  ]) {
    t.throws(() => parseRemote(text), { code: 'ERR_OPTION' }, text);
  }
});

t.test('a link in the place of what came in is not written through', async (t) => {
  const url = `${hub.url}/files/w.bin`;
  hub.files['w.bin'] = Buffer.alloc(5000, 7);
  const cut = parseRemote(url) as UrlWord;
  // What a process leaves that was killed.
  hub.instead(/w\.bin/, (_, res) => {
    res.writeHead(200, { etag: '"v"', 'content-length': 5000 });
    res.write(Buffer.alloc(100, 7), () => setTimeout(() => res.destroy(), 20));
  });
  hub.instead(/w\.bin/, (_, res) => void res.writeHead(404).end());
  await t.rejects(fetchUrl(cut, {}));
  const root = join(dir, 'cache', 'critmap', 'downloads');
  const [folder = ''] = readdirSync(root);
  const [left = ''] = readdirSync(join(root, folder)).filter((name) => name.endsWith('.incomplete'));
  t.not(left, '');
  const victim = join(dir, 'victim');
  writeFileSync(victim, 'precious');
  renameSync(join(root, folder, left), join(dir, 'aside'));
  symlinkSync(victim, join(root, folder, left));
  const { path } = await fetchUrl(cut, {});
  t.equal(readFileSync(victim, 'utf8'), 'precious');
  t.equal(readFileSync(path).length, 5000);
});

const lacksPipes = spawnSync('mkfifo', [join(dir, 'pipe')]).status === 0 ? false : 'no mkfifo';
t.test('a pipe in a cache is not waited for', { skip: lacksPipes, timeout: 60_000 }, async (t) => {
  const refs = join(hubHome(), 'hub', 'models--o--m', 'refs');
  mkdirSync(refs, { recursive: true });
  for (const [from, to] of [
    [join(dir, 'pipe'), join(refs, 'main')],
    [join(dir, 'pipe2'), join(process.env.HF_HOME!, 'token')],
  ] as const) {
    spawnSync('mkfifo', [from]);
    renameSync(from, to);
  }
  t.equal((await open()).pinned, `hf:o/m@${COMMIT}`);
  const url = parseRemote(`${hub.url}/files/w.bin`) as UrlWord;
  const root = join(dir, 'cache', 'critmap', 'downloads');
  const [about = ''] = readdirSync(root).filter((name) => name.endsWith('.json'));
  spawnSync('mkfifo', [join(dir, 'pipe3')]);
  renameSync(join(dir, 'pipe3'), join(root, about));
  t.equal(readFileSync((await fetchUrl(url, {})).path).length, 5000);
});
