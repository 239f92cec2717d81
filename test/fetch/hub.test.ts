/** `hf:` words against a server on loopback that plays the hub: what is asked, what lies in the cache, what is said. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CritmapError } from '../../src/errors.js';
import { locate } from '../../src/fetch/local.js';
import type { FetchProgress } from '../../src/fetch/options.js';
import { cutAfter, type FakeHub, type FakeRepository, gitName, sha256, startHub } from './hub-server.js';

const commit = 'c0ffee'.padEnd(40, '0');
const config = Buffer.from('{"architecture": "resnet18"}');
const weights = randomBytes(300_000);
const token = 'hf_secretsecret';

const repository = (files: Record<string, Buffer>, more: object = {}): FakeRepository => ({
  commit,
  files: { 'README.md': Buffer.from('# x'), '.gitattributes': Buffer.from('x'), ...files },
  ...more,
});
const usual = () =>
  repository({ 'config.json': config, 'model.safetensors': weights, 'pytorch_model.bin': randomBytes(1000) });

/** A hub, and an environment that knows of no other. */
async function hubFor(t: Test, repositories: Record<string, FakeRepository>) {
  const hub = await startHub(t, repositories);
  const home = t.testdir({});
  for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING)/.test(name)) delete process.env[name];
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: hub.url });
  return { hub, home, folder: join(home, 'hub', 'models--a--net') };
}

const weightsOf = async (text: string) => {
  const { folder, warnings } = await locate(text);
  return { files: await folder!.weights(), folder: folder!, warnings };
};
const read = (path: string) => readFileSync(path);
const leftovers = (folder: string) => readdirSync(join(folder, 'blobs')).filter((name) => name.includes('~'));

async function refusal(t: Test, text: string, message: RegExp) {
  const error = await weightsOf(text).then(
    () => undefined,
    (thrown: unknown) => thrown as CritmapError,
  );
  t.ok(error instanceof CritmapError, `${text}: ${error?.stack}`);
  t.equal(error?.code, 'ERR_FETCH', `${error?.message}`);
  t.match(error?.message, message);
  t.notMatch(error?.message, /secret/, 'no token, no signature');
}

t.test("a repository comes into the hub's own layout, and only what it needs of it", async (t) => {
  const { hub, folder } = await hubFor(t, { 'a/net': usual() });
  process.env.HF_TOKEN = token;
  const { files, folder: found } = await weightsOf('hf:a/net');
  const snapshot = join(folder, 'snapshots', commit);
  t.equal(found.path, snapshot);
  t.equal(found.name, 'net');
  t.strictSame(files, [
    {
      path: join(snapshot, 'model.safetensors'),
      source: `hf:a/net@${commit}/model.safetensors`,
      name: 'net',
    },
  ]);
  t.ok(read(files[0]!.path).equals(weights));
  t.strictSame(readdirSync(snapshot).sort(), ['config.json', 'model.safetensors']);
  t.equal(readlinkSync(join(snapshot, 'model.safetensors')), `../../blobs/${sha256(weights)}`);
  t.equal(readlinkSync(join(snapshot, 'config.json')), `../../blobs/${gitName(config)}`);
  t.equal(readFileSync(join(folder, 'refs', 'main'), 'utf8'), commit);
  t.strictSame(leftovers(folder), []);
  const { asked } = hub;
  t.ok(
    asked.every(({ server, authorization }) => (authorization === `Bearer ${token}`) === (server === 'hub')),
  );
  t.equal(asked.filter(({ server }) => server === 'store').length, 1);

  const since = asked.length;
  await weightsOf('hf:a/net');
  t.strictSame(
    asked.slice(since).map(({ path }) => path),
    ['/api/models/a/net/revision/main'],
    'only whether it is still the newest is asked',
  );
  await weightsOf(`hf:a/net@${commit}`);
  process.env.HF_HUB_OFFLINE = '1';
  t.strictSame((await weightsOf('hf:a/net')).warnings, []);
  await refusal(
    t,
    'hf:a/other',
    /^hf:a\/other: is not in .*models--a--other, and nothing is fetched now \(HF_HUB_OFFLINE\)/,
  );
  t.equal(asked.length, since + 1, 'a commit, or offline: nothing is asked');
});

t.test('weights in parts come by their index, and older names where there is no newer', async (t) => {
  const parts = {
    'model-00001-of-00002.safetensors': randomBytes(10),
    'model-00002-of-00002.safetensors': randomBytes(20),
  };
  const [one, two] = Object.keys(parts);
  const index = Buffer.from(JSON.stringify({ weight_map: { a: two, b: one, c: two } }));
  const { hub } = await hubFor(t, {
    'a/parts': repository({ 'config.json': config, ...parts, 'model.safetensors.index.json': index }),
    'a/old': repository({ 'config.json': config, 'pytorch_model.bin': weights }),
    'a/bad': repository({
      'config.json': config,
      'model.safetensors.index.json': Buffer.from('{"weight_map": {"a": "../../x"}}'),
    }),
  });
  const { files } = await weightsOf('hf:a/parts');
  t.strictSame(
    files.map(({ path }) => read(path)),
    Object.values(parts),
  );
  t.match((await weightsOf('hf:a/old')).files, [{ path: /pytorch_model\.bin$/, name: 'old' }]);
  const since = hub.asked.length;
  await weightsOf(`hf:a/old@${commit}`);
  t.equal(hub.asked.length, since, 'that there is no model.safetensors is remembered');
  await t.rejects(weightsOf('hf:a/bad'), /index of weights \(weight_map\.a: is no plain file name\)/);
});

t.test("transformers' folders come with what prepares their images", async (t) => {
  const ofTransformers = Buffer.from('{"model_type": "resnet"}');
  const beside = Buffer.from('{"size": 224}');
  const { hub, home } = await hubFor(t, {
    'a/with': repository({ 'config.json': ofTransformers, 'preprocessor_config.json': beside }),
    'a/without': repository({ 'config.json': ofTransformers }),
  });
  const { folder } = await locate('hf:a/with');
  t.strictSame(readdirSync(folder!.path).sort(), ['config.json', 'preprocessor_config.json']);
  await locate('hf:a/without');
  t.ok(existsSync(join(home, 'hub', 'models--a--without', '.no_exist', commit, 'preprocessor_config.json')));
  const since = hub.asked.length;
  for (const name of ['with', 'without']) await locate(`hf:a/${name}@${commit}`);
  t.equal(hub.asked.length, since);
});

t.test('one file, also of a folder in a repository and of a revision', async (t) => {
  const { hub } = await hubFor(t, { 'a/net': repository({ 'sub/best model.pth': weights }) });
  const { file, place } = await locate(`hf:a/net@${commit}/sub/best model.pth#ema`);
  t.equal(place, 'ema');
  t.ok(read(file!.path).equals(weights));
  t.equal(file!.name, undefined);
  t.match(hub.asked, [{ path: /paths-info/ }, { path: /resolve/ }, { server: 'store' }]);
});

t.test('what is refused or missing is named, with what to do', async (t) => {
  const { hub } = await hubFor(t, {
    'a/net': usual(),
    'a/private': repository({ 'config.json': config }, { token }),
    'a/gated': repository({ 'config.json': config }, { token, gated: true }),
    'a/bare': repository({ 'x.txt': config }),
  });
  await refusal(
    t,
    'hf:a/private',
    /^hf:a\/private: access is refused \(status 401\).*private or gated.*HF_TOKEN/,
  );
  await refusal(t, 'hf:a/gated', /status 403\): a\/gated is gated; ask for access .*HF_TOKEN/);
  process.env.HF_TOKEN = 'hf_othersecret';
  await refusal(t, 'hf:a/private', /access is refused/);
  process.env.HF_TOKEN = 'hf_bad secret';
  await refusal(t, 'hf:a/private', /HF_TOKEN holds what no token holds/);
  delete process.env.HF_TOKEN;
  await refusal(t, 'hf:a/net@v2', /^hf:a\/net@v2: a\/net has no revision v2/);
  await refusal(t, 'hf:a/bare', /^hf:a\/bare: has no file config\.json at revision main; it has .*x\.txt/);
  await refusal(t, 'hf:a/net/none/x.pth', /^hf:a\/net: has no file none\/x\.pth at revision main/);
  hub.instead(/revision/, (_, res) => res.writeHead(404).end());
  await refusal(t, 'hf:a/net', /there is no repository a\/net with a revision main/);
  hub.instead(/revision/, (_, res) => res.end('<html>log in</html>'));
  await refusal(t, 'hf:a/net', /does not answer as the Hugging Face hub does; check HF_ENDPOINT/);
  const evil = { type: 'file', path: '../../../evil.pth', size: 1, oid: gitName(config) };
  const list = [{ ...evil, path: 'config.json', size: config.length }, evil];
  hub.instead(/tree/, (_, res) => res.end(JSON.stringify(list)));
  await t.rejects(weightsOf('hf:a/net'), { code: 'ERR_WEIGHTS' }, 'a name that leads elsewhere is none');
  hub.instead(/tree/, (_, res) => res.end('[{"type": "file", "path": "config.json", "oid": "../x"}]'));
  hub.repositories['a/odd'] = usual();
  await refusal(t, 'hf:a/odd', /does not answer as the Hugging Face hub does/);
  hub.repositories['a/far'] = usual();
  hub.instead(/far\/resolve/, (_, res) =>
    res.writeHead(302, { location: 'http://example.com/x?secret' }).end(),
  );
  await refusal(t, 'hf:a/far', /redirects to an address that is not https:, which is refused/);
  process.env.HF_ENDPOINT = 'http://example.com';
  await refusal(t, 'hf:a/net', /HF_ENDPOINT is no https: address/);
});

t.test("a token of the file that the hub's own program writes is taken", async (t) => {
  const { home } = await hubFor(t, { 'a/private': repository({ 'config.json': config }, { token }) });
  process.env.HF_TOKEN_PATH = join(t.testdir({ mine: `${token}\n` }), 'mine');
  t.equal((await locate('hf:a/private')).folder?.name, 'private');
  t.ok(existsSync(home));
});

t.test('a busy server is asked again when it says so, and not for ever', async (t) => {
  const { hub } = await hubFor(t, { 'a/net': usual() });
  hub.instead(/revision/, (_, res) => res.writeHead(429, { 'retry-after': '1' }).end());
  hub.instead(/resolve/, (_, res) => res.writeHead(503).end());
  const start = Date.now();
  await weightsOf('hf:a/net');
  t.ok(Date.now() - start >= 1000, 'as long as it asked for');
  hub.instead(/revision/, (_, res) => res.writeHead(429, { 'retry-after': '3600' }).end());
  const { warnings } = await weightsOf('hf:a/net');
  t.match(warnings, [
    /^hf:a\/net: .*busy \(status 429\) for another 3600 s; .*commit c0ffee000000 from before is taken$/,
  ]);
});

t.test('a connection that is cut goes on where it ended', async (t) => {
  const { hub, folder } = await hubFor(t, { 'a/net': usual() });
  const etag = `"${sha256(weights)}"`;
  hub.instead(/blobs/, cutAfter(100_000, weights, etag));
  const seen: FetchProgress[] = [];
  await locate('hf:a/net/model.safetensors', { onFetch: (progress) => seen.push(progress) });
  const ranges = hub.asked.filter(({ server }) => server === 'store').map(({ range }) => range);
  t.strictSame(ranges, [undefined, 'bytes=100000-']);
  t.match(seen.at(-1), { what: 'hf:a/net/model.safetensors', done: 300_000, total: 300_000 });
  t.ok(read(join(folder, 'blobs', sha256(weights))).equals(weights));
});

t.test('bytes that are not those of the repository are refused and removed', async (t) => {
  const { hub, folder } = await hubFor(t, { 'a/net': usual() });
  const wrong = Buffer.from(weights).fill(0, 0, 10);
  hub.instead(/blobs/, (_, res) => res.writeHead(200, { 'content-length': wrong.length }).end(wrong));
  await refusal(t, 'hf:a/net', /its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}; it was removed/);
  const other = Buffer.from(config).reverse();
  hub.repositories['a/small'] = usual();
  hub.instead(/small\/resolve/, (_, res) => res.end(other));
  await refusal(t, 'hf:a/small', /^hf:a\/small\/config\.json: is not the file .* its SHA-1 is/);
  hub.instead(/blobs/, (_, res) => res.end(weights.subarray(1)));
  await refusal(t, 'hf:a/net', /was cut again and again|bytes/);
  t.notOk(existsSync(join(folder, 'blobs', sha256(weights))));
  await weightsOf('hf:a/net');
  t.ok(read(join(folder, 'blobs', sha256(weights))).equals(weights));
  t.strictSame(leftovers(folder), []);
});

t.test('a file that has no room is not begun', async (t) => {
  const { hub } = await hubFor(t, { 'a/net': usual() });
  const lfs = { oid: sha256(weights), size: 8e15, pointerSize: 1 };
  const entry = { type: 'file', path: 'model.safetensors', size: 8e15, oid: gitName(weights), lfs };
  hub.instead(/tree/, (_, res) =>
    res.setHeader('content-type', 'application/json').end(JSON.stringify([entry])),
  );
  hub.instead(/blobs/, (_, res) => res.writeHead(200, { 'content-length': 8e15 }).flushHeaders());
  await t.rejects(locate('hf:a/net/model.safetensors'), {
    code: 'ERR_FETCH',
    message: /needs 8000000000000000 bytes more, and the disk of .* has \d+; make room/,
  });
});

t.test('without a network what is there is taken, and it is said', async (t) => {
  const { hub } = await hubFor(t, { 'a/net': usual() });
  await weightsOf('hf:a/net');
  await hub.stop();
  const { files, warnings } = await weightsOf('hf:a/net');
  t.ok(read(files[0]!.path).equals(weights));
  t.match(warnings, [
    /cannot be fetched from 127\.0\.0\.1:\d+: it refuses connections; commit c0ffee000000 from before/,
  ]);
  await refusal(t, 'hf:a/net/other.pth', /it refuses connections/);
  await refusal(t, 'hf:a/new', /^hf:a\/new: cannot be fetched from 127\.0\.0\.1:\d+: it refuses connections/);
});

t.test('processes may be killed, and fetch the same file at once', { timeout: 20_000 }, async (t) => {
  const large = randomBytes(3_000_000);
  const { hub, folder } = await hubFor(t, { 'a/net': repository({ 'w.pth': large }) });
  /** A third of it, then nothing. */
  const stall: Parameters<FakeHub['instead']>[1] = (_, res) => {
    res.writeHead(200, { 'content-length': large.length });
    res.write(large.subarray(0, 1_000_000));
  };
  hub.instead(/blobs/, stall);
  const code = `
    const { locate } = await import(${JSON.stringify(new URL('../../src/fetch/local.ts', import.meta.url).href)});
    await locate('hf:a/net/w.pth');`;
  const start = () =>
    spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const killed = start();
  const isLeft = () => existsSync(join(folder, 'blobs')) && leftovers(folder).length > 0;
  const bytes = () => leftovers(folder).map((name) => read(join(folder, 'blobs', name)).length);
  while (!(isLeft() && bytes().includes(1_000_000))) await sleep(20);
  killed.kill('SIGKILL');
  await once(killed, 'exit');

  const children = [start(), start()];
  const texts = children.map(() => '');
  for (const [i, child] of children.entries()) child.stderr.on('data', (text) => (texts[i] += text));
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0]));
  t.strictSame(codes, [0, 0], texts.join('\n'));
  t.ok(read(join(folder, 'blobs', sha256(large))).equals(large));
  t.strictSame(leftovers(folder), []);
  const ranges = hub.asked.filter(({ server }) => server === 'store').map(({ range }) => range);
  t.ok(ranges.includes('bytes=1000000-'), `what the killed one had is not fetched again: ${ranges}`);
});
